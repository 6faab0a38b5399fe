"""A history through real workers on a real broker decides what `simulate` decides, and every mail comes once."""

import asyncio
import gzip
import itertools
import json
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.main import app
from app.config.check import Config, load_dir
from app.contract.codec import decode
from app.contract.errors import ContractError
from app.contract.instants import DAY, MINUTE, Instant, format_instant, parse_instant
from app.dev.kafka import DevKafka
from app.dev.mailbox import Mailbox
from app.dev.provider import history, span
from app.domain.occasion import Outcome
from app.domain.rules import Rulebook
from app.engine.writing import as_line
from app.simulate.run import Pause, Span, simulate
from app.streams.names import Names
from app.triggers import REGISTRY
from tests.kafka.system import System, came, comparable, ending, seeded, wanted_mails
from tests.kafka.waiting import eventually

pytestmark = pytest.mark.kafka

ROOT = Path(__file__).parents[2]
RECEIVABLES = ROOT.parent / "shared" / "cases" / "receivables"
DAYS = 28


def simulated(lines: list[bytes], config: Config, over: Span) -> list[dict[str, object]]:
    decisions, _ = simulate(lines, Rulebook(config.rules, config.companies), over)
    return [as_line(decision) for decision in decisions]


@pytest.fixture
def config() -> Config:
    return load_dir(ROOT / "deploy" / "config", REGISTRY)


async def test_one_worker_decides_what_simulate_decides_pauses_included(
    kafka: DevKafka, names: Names, tmp_path: Path, config: Config
) -> None:
    lines, whole = list(history(accounts=60, seed=11, days=DAYS)), span(DAYS)
    pause = Pause(whole.begin + 13 * DAY + 7 * MINUTE, whole.begin + 15 * DAY + 3 * MINUTE)
    over = Span(whole.begin, whole.until, (pause,))
    expected = comparable(simulated(lines, config, over))
    async with Mailbox() as mailbox:
        system = System(kafka.bootstrap, names, tmp_path, mailbox.port)
        with ending(system):
            await system.prepare(config)
            system.start("one")
            await system.play(lines, over, 10 * MINUTE)
            await all_decided(system, expected)
    found = comparable(await system.decided())
    assert found == expected, system.logs()


async def test_a_forecast_by_the_rows_of_running_workers_is_what_simulate_decides_afterwards(
    kafka: DevKafka, names: Names, tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines, whole = list(history(accounts=60, seed=17, days=DAYS)), span(DAYS)
    now, later = whole.begin + 14 * DAY, whole.begin + 24 * DAY
    known = [line for line in lines if time_of(line) <= now]
    monkeypatch.setenv("WHIMBREL_KAFKA", kafka.bootstrap)
    monkeypatch.setenv("WHIMBREL_PREFIX", names.prefix)
    system = System(kafka.bootstrap, names, tmp_path, 1)
    with ending(system):
        await system.prepare(config)
        system.start("one")
        await system.play(known, Span(whole.begin, now), 10 * MINUTE)
        await eventually(lambda: system.worked_off(now), 120)
    ahead = simulated(known, config, Span(whole.begin, later))
    ahead = [
        each for each in ahead[len(simulated(known, config, Span(whole.begin, now))) :] if each["outcome"] != "held"
    ]
    at = ["--at", format_instant(now), "--days", "10", "--json"]
    found = json.loads(await command("forecast", *at))
    assert found["read_until"] == format_instant(now)
    sent = Counter(str(each["rule"]) for each in ahead if each["outcome"] == "sent")
    assert sum((Counter({day["rule"]: day["sent"]}) for day in found["days"]), Counter()) == sent
    assert sent.total() > 20
    account = Counter(str(each["account_id"]) for each in ahead).most_common(1)[0][0]
    one = json.loads(await command("forecast", "--account", account, *at))
    wanted = [each for each in ahead if each["account_id"] == account]
    assert comparable([each for each in one["comes"] if each["outcome"] != "held"]) == comparable(wanted)


async def command(*words: str) -> str:
    result = await asyncio.to_thread(CliRunner().invoke, app, list(words), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def time_of(line: bytes) -> Instant:
    """The event's time; a line that nobody can read is of no time."""
    try:
        return decode(line, None, keyed=False).time
    except ContractError:
        return 0


async def test_killed_again_and_again_two_workers_decide_the_same_and_every_mail_comes_once(
    kafka: DevKafka, names: Names, tmp_path: Path, config: Config
) -> None:
    lines, whole = list(history(accounts=60, seed=13, days=DAYS)), span(DAYS)
    over = Span(whole.begin, whole.until)
    expected = simulated(lines, config, over)
    chance = seeded(5)
    async with Mailbox() as mailbox:
        system = System(kafka.bootstrap, names, tmp_path, mailbox.port)
        with ending(system):
            await system.prepare(config)
            for name in ("one", "two"):
                system.start(name)
            system.start("sender", "sender")
            playing = asyncio.create_task(system.play(lines, over, 10 * MINUTE))
            for goal in (0.1, 0.35, 0.6):
                await decided_at_least(system, int(goal * len(expected)))
                killed = chance.choice(("one", "two"))
                system.kill(killed)
                system.start(killed)
            await playing
            await all_decided(system, comparable(expected))
            wanted = wanted_mails(expected)
            await mailbox.wait_for(lambda box: box.total >= wanted.total(), 90)
            await eventually(lambda: accepted(system, wanted.total()), 60)
    assert comparable(await system.decided()) == comparable(expected), system.logs()
    assert came(mailbox) == wanted, "each mail once"


async def test_two_years_of_real_invoices_give_every_mail_once(kafka: DevKafka, names: Names, tmp_path: Path) -> None:
    """The data set lies beside the repository, not in it; where it is missing there is nothing to play."""
    if not RECEIVABLES.exists():
        pytest.skip(f"NOT TESTED ON REAL INVOICES: no {RECEIVABLES}")
    public = json.loads((RECEIVABLES / "public.json").read_text())
    config = load_dir(RECEIVABLES / "config", REGISTRY)
    lines = gzip.decompress((RECEIVABLES / public["events"]).read_bytes()).splitlines(keepends=True)
    over = Span(parse_instant(public["from"]), parse_instant(public["until"]))
    async with Mailbox() as mailbox:
        system = System(kafka.bootstrap, names, tmp_path, mailbox.port)
        with ending(system):
            await system.prepare(config)
            for name in ("one", "two"):
                system.start(name)
            system.start("sender", "sender")
            await system.play(lines, over, 15 * MINUTE)
            await mailbox.wait_for(lambda box: box.total >= public["total"], 240)
            await eventually(lambda: accepted(system, public["total"]), 60)
            decided = await system.decided()
    sent = Counter(decision["rule"] for decision in decided if decision["outcome"] == "sent")
    assert dict(sent) == public["sent"]
    assert came(mailbox) == wanted_mails(decided)
    assert mailbox.total == public["total"] == 2277


async def all_decided(system: System, expected: Counter[bytes]) -> None:
    """Wait until as many decisions are made as are expected."""
    await decided_at_least(system, expected.total(), 240)


async def decided_at_least(system: System, count: int, seconds: float = 120) -> None:
    async def there() -> bool:
        return len(await system.decided()) >= count

    try:
        await eventually(there, seconds)
    except TimeoutError:
        pytest.fail(f"{len(await system.decided())} of {count} decisions after {seconds} s\n{system.logs()}")


async def accepted(system: System, count: int) -> bool:
    return (await system.delivered())["accepted"] >= count


def test_the_histories_are_worth_playing(config: Config) -> None:
    """They make every trigger come up, and outcomes of every kind that it can have here."""
    decisions = list(
        itertools.chain.from_iterable(
            simulated(list(history(accounts=60, seed=seed, days=DAYS)), config, span(DAYS)) for seed in (11, 13)
        )
    )
    assert {str(decision["trigger"]) for decision in decisions} == set(REGISTRY)
    assert {str(decision["outcome"]) for decision in decisions} == set(Outcome)
