"""From nothing to a system that waits for its first fact, a line a step."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from app.config.check import Config
from app.contract.instants import datetime_of
from app.dev import provider
from app.dev.demo import roles
from app.dev.demo.crew import Crew
from app.dev.demo.mailbox import await_page
from app.dev.demo.plan import PARTITIONS, Plan
from app.dev.demo.scene import Scene
from app.dev.demo.steps import Beside, Step, Steps
from app.dev.jars import VERSION
from app.dev.kafka import DevKafka, prepare, prepared
from app.errors import WhimbrelError
from app.streams import config_apply, topics
from app.streams.names import Names

CONFIG: Final = Path(__file__).parents[3] / "deploy" / "config"
READY_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.05
LoadConfig = Callable[[Path], Config]
"""How a directory of rules and companies is read."""


class NotReadyError(WhimbrelError):
    """The workers did not take up their work."""


@dataclass(frozen=True)
class Stage:
    """What stands once it is set up; `config` is in force."""

    plan: Plan
    crew: Crew
    ports: roles.Ports
    names: Names
    config: Config
    console: Console


def raise_stage(plan: Plan, crew: Crew, load: LoadConfig, console: Console) -> Stage:
    """Start Kafka and the mailbox, meanwhile write the history and read the rules. Raises what they raise."""
    steps, ports, beside = Steps(console), roles.choose_ports(), Beside()
    for line in ports.busy:
        steps.note(line)
    if not prepared():
        with steps.step("fetching", "fetching Apache Kafka (54 MB), and preparing it to start fast: once") as step:
            prepare()
            step.said = f"Apache Kafka {VERSION} is in the cache, ready to start fast"
    history, rules = beside.begin(lambda: _write_history(plan)), beside.begin(lambda: _read_rules(plan, load))
    beside.no_more()
    crew.start(roles.mailbox(plan, ports))
    with steps.step("Kafka", "starting Apache Kafka") as step:
        broker = DevKafka(plan.directory / "kafka", ports.kafka)
        crew.serve(broker)
        broker.start()
        step.said = f"{VERSION}, one broker at {broker.bootstrap}"
    events, seconds = history.result()
    first, last = (datetime_of(each).strftime("%d %b %Y") for each in (plan.span.begin, plan.span.until))
    steps.done(Step("history", f"{plan.accounts:,} accounts, {events:,} events, {first} to {last}"), seconds)
    config, seconds = rules.result()
    said = f"{len(config.rules)} rules, {len(config.companies)} companies, from {CONFIG.parent.name}/{CONFIG.name}"
    steps.done(Step("rules", said), seconds)
    return Stage(plan, crew, ports, Names(), config, console)


async def set_up(stage: Stage) -> None:
    """Create topics, wait for the mailbox. Raises what they raise."""
    steps, ports = Steps(stage.console), stage.ports
    with steps.step("topics", "creating topics") as step:
        created = await topics.create(ports.bootstrap, stage.names, PARTITIONS)
        step.said = f"{len(created)} topics, {PARTITIONS} partitions each"
    with steps.step("mailbox", "waiting for the mailbox") as step:
        await await_page(ports.page_url)
        step.said = f"SMTP at port {ports.smtp}, page at port {ports.page}"


async def open_workers(stage: Stage, scene: Scene) -> None:
    """Start the workers and, meanwhile, put the rules in force; return when every partition is in hand.

    Raises NotReadyError after READY_SECONDS.
    """
    plan, ports, crew = stage.plan, stage.ports, stage.crew
    plan.states.mkdir()
    with Steps(stage.console).step("workers", "starting the workers") as step:
        ids = [crew.start(roles.trigger_worker(name, plan, ports)) for name in roles.WORKERS]
        ids.append(crew.start(roles.sender(plan, ports)))
        await config_apply.apply(ports.bootstrap, stage.names.config, stage.config, as_written=True)
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not scene.ready:  # noqa: ASYNC110 - the scene is filled by a reader
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError as error:
            logs = plan.log("x").parent
            raise NotReadyError(f"the workers took up no work in {READY_SECONDS:.0f} s: see {logs}") from error
        step.said = f"two for triggers, one sender: pids {', '.join(map(str, ids))}"
    stage.console.print(
        Text.assemble("\n  Watch the mails arrive: ", (ports.page_url, "bold underline")), soft_wrap=True
    )


def _write_history(plan: Plan) -> int:
    lines = list(provider.history(plan.accounts, plan.seed, plan.days))
    plan.history.write_bytes(b"".join(lines))
    return len(lines)


def _read_rules(plan: Plan, load: LoadConfig) -> Config:
    for copy in (plan.config, plan.what_if):
        shutil.copytree(CONFIG, copy)
    return load(plan.config)
