"""The real triggers app on the history of the demo's provider, all of it there before the worker starts."""

import asyncio
import sys
from pathlib import Path

from app.config.check import load_dir
from app.contract.instants import MINUTE
from app.dev import provider
from app.dev.play import play
from app.dev.publish import publish_played
from app.streams import config_apply, topics
from app.streams.names import Names
from app.triggers import REGISTRY
from tests.benchmarks.job import Job, Result, written
from tests.benchmarks.machine import broker, measured, scratch
from tests.benchmarks.report import Section, table
from tests.benchmarks.workload import PARTITIONS

CONFIG = Path(__file__).parents[2] / "deploy" / "config"
STEP = 10 * MINUTE
"""Between ticks, as in the demo."""
DEMO_ACCOUNTS = 300


def bench(*, quick: bool) -> Section:
    """Work off the demo's history, and one of many more accounts: ticks weigh less there."""
    rows = []
    with scratch() as directory, broker(directory) as bootstrap:
        for accounts in (DEMO_ACCOUNTS,) if quick else (DEMO_ACCOUNTS, 20 * DEMO_ACCOUNTS):
            job = asyncio.run(_prepare(bootstrap, accounts, directory))
            command = [sys.executable, "-m", "tests.benchmarks.peers.triggers_app", written(job)]
            rows.append(_row(accounts, job, measured(command, directory / f"{job.name}.log")))
    head = ["accounts", "facts", "ticks", "facts/s", "µs a fact", "CPU µs a fact", "µs a fact or tick", "RSS MB"]
    note = "Ticks every ten minutes of two months, in each of four partitions; one worker. No target."
    return Section("triggers", table(head, rows) + "\n\n" + note)


async def _prepare(bootstrap: str, accounts: int, directory: Path) -> Job:
    """Publish a history as the demo does."""
    names = Names(f"t{accounts}-")
    config = load_dir(CONFIG, REGISTRY)
    await topics.create(bootstrap, names, PARTITIONS)
    await config_apply.apply(bootstrap, names.config, config, as_written=True)
    span = provider.span()
    played = play(provider.history(accounts), span, STEP)
    progress = await publish_played(bootstrap, names, played, span.begin)
    state = directory / names.prefix
    state.mkdir()
    return Job(
        bootstrap=bootstrap,
        name=names.prefix,
        count=progress.facts,
        ticks=progress.ticks * PARTITIONS,
        state=str(state),
    )


def _row(accounts: int, job: Job, result: Result) -> list[str]:
    return [
        f"{accounts:,}",
        f"{job.count:,}",
        f"{job.ticks:,}",
        f"{job.count / result.seconds:,.0f}",
        f"{result.seconds / job.count * 1e6:,.0f}",
        f"{result.cpu_us:,.0f}",
        f"{result.seconds / (job.count + job.ticks) * 1e6:,.0f}",
        f"{result.rss_mb}",
    ]
