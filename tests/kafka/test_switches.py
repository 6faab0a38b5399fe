"""Kill switch and guard of the running system, on real Kafka: two workers, a partition each, commands as typed."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from app import clock
from app.cli.main import app
from app.config.check import Config
from app.dev.kafka import DevKafka
from app.engine.records import COMMIT_KEY, ID_HEADER, header
from app.streams import client, config_apply, topics
from app.streams.names import Names
from tests.builders import Event, a_company, a_payment, a_rule, account_event, written
from tests.kafka.system import System, ending
from tests.kafka.waiting import eventually

pytestmark = pytest.mark.kafka

FAILED = "payment_failed"
CONTACTS = 5
SHARE = 100
"""Of each partition: the least there is."""
BURST = SHARE // CONTACTS + 5


class Running(System):
    """Two workers by the clock, a partition each."""

    async def begin(self) -> None:
        await topics.create(self.bootstrap, self.names, 2, 1)
        config = Config((a_rule(FAILED),), {id_: a_company(id_) for id_ in ("acme", "beta")})
        await config_apply.apply(self.bootstrap, self.names.config, config, as_written=True)
        for name in ("one", "two"):
            self.start(
                name,
                WHIMBREL_TICKS="timer",
                WHIMBREL_TICK_SECONDS="1",
                WHIMBREL_GUARD_MAX_PER_HOUR=str(SHARE),
            )
        await eventually(self.has_begun, 60)

    async def has_begun(self) -> bool:
        """Whether what happens from now on is live in both partitions, each with a worker of its own."""
        journal = await client.read(self.bootstrap, self.names.book_journal)
        begun = {record.partition for record in journal if record.key == COMMIT_KEY}
        return begun == {0, 1} and all("lane runs" in self.log(name) for name in self.workers.names())

    def log(self, name: str) -> str:
        return (self.directory / f"{name}.log").read_text()

    async def publish(self, partition: int, *events: Event) -> None:
        async with client.opened_producer(self.bootstrap) as producer:
            for event in events:
                await producer.send(self.names.billing, written(event), event["subject"].encode(), partition=partition)
            await producer.flush()

    async def command(self, *words: str) -> str:
        """Run a command, and wait until every worker has read what it wrote."""
        result = await asyncio.to_thread(CliRunner().invoke, app, list(words), catch_exceptions=False)
        assert result.exit_code == 0
        await self.all_know()
        return result.output

    async def all_know(self) -> None:
        record = await client.newest(self.bootstrap, self.names.config)
        assert record is not None
        await eventually(lambda: self._all_read(record.offset), 20)

    async def _all_read(self, offset: int) -> bool:
        return all(f"configuration in force offset={offset}" in self.log(name) for name in self.workers.names())

    async def outcomes(self) -> dict[str, list[str]]:
        """What was decided of each payment, in order."""
        found: dict[str, list[str]] = {}
        for decision in await self.decided():
            outcome = decision["outcome"] + (f"({decision['reason']})" if decision["reason"] else "")
            found.setdefault(decision["subject"].split(":")[1], []).append(outcome)
        return found

    async def becomes(self, true: Callable[[dict[str, list[str]]], bool]) -> dict[str, list[str]]:
        """Wait until it is true of the outcomes."""
        found: list[dict[str, list[str]]] = []

        async def look() -> bool:
            found.append(await self.outcomes())
            return true(found[-1])

        try:
            await eventually(look, 30)
        except TimeoutError:
            pytest.fail(f"{found[-1]}\n{self.logs()}")
        return found[-1]

    async def notified(self) -> Counter[str]:
        """How often each dedup key came to the outbox, repeats of a batch dropped."""
        by_id = {header(r, ID_HEADER): r.value or b"" for r in await client.read(self.bootstrap, self.names.outbox)}
        return Counter(orjson.loads(value)["dedup_key"] for value in by_id.values())


@pytest.fixture
def system(kafka: DevKafka, names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Running:
    monkeypatch.setenv("WHIMBREL_KAFKA", kafka.bootstrap)
    monkeypatch.setenv("WHIMBREL_PREFIX", names.prefix)
    return Running(kafka.bootstrap, names, tmp_path, smtp_port=1)


def account(name: str, company: str = "acme") -> Event:
    contacts: list[dict[str, Any]] = [
        {"contact_id": f"c{n}", "name": "C", "email": f"c{n}@{name}.example", "categories": ["financial"]}
        for n in range(CONTACTS)
    ]
    return account_event(clock.now(), account=name, company_id=company, contacts=contacts)


def payment(name: str, payment_id: str) -> Event:
    return a_payment(clock.now(), account=name, payment_id=payment_id)


async def test_a_company_s_kill_switch_holds_and_lets_go(system: Running) -> None:
    with ending(system):
        await system.begin()
        said = await system.command("kill", "on", "--company", "acme")
        assert said == "held but for criticals: acme\n"
        await system.publish(0, account("a"), payment("a", "p1"))
        await system.publish(1, account("b", "beta"), payment("b", "p2"))
        await system.becomes(lambda found: found == {"p1": ["held(kill_switch)"], "p2": ["sent"]})
        system.kill("one")
        system.start("one", WHIMBREL_TICKS="timer", WHIMBREL_TICK_SECONDS="1")
        await system.command("kill", "off", "--company", "acme")
        await system.becomes(lambda found: found == {"p1": ["held(kill_switch)", "sent"], "p2": ["sent"]})
    assert set((await system.notified()).values()) == {1}


async def test_a_burst_over_the_guard_s_limit_is_held_everywhere_and_comes_once_when_released(system: Running) -> None:
    with ending(system):
        await system.begin()
        names = [f"a{n}" for n in range(BURST)]
        await system.publish(0, *[account(name) for name in names])
        await system.publish(1, account("b"))
        await system.publish(0, *[payment(name, f"p{n}") for n, name in enumerate(names)])
        found = await system.becomes(lambda found: len(found) == BURST)
        assert Counter(each[0] for each in found.values()) == {
            "sent": SHARE // CONTACTS,
            "held(guard)": BURST - SHARE // CONTACTS,
        }
        await eventually(lambda: tripped(system), 20)
        await system.all_know()
        listed = await system.command("guard", "list")
        assert f"{FAILED}: partition 0 at " in listed
        assert listed.endswith(f"{SHARE + CONTACTS} recipients within the hour, {SHARE} allowed\n")

        await system.publish(1, payment("b", "elsewhere"))
        await system.becomes(lambda found: found.get("elsewhere") == ["held(guard)"])
        system.kill("two")
        system.start("two", WHIMBREL_TICKS="timer", WHIMBREL_TICK_SECONDS="1")
        await system.command("guard", "release", FAILED)
        found = await system.becomes(lambda found: all(each[-1] == "sent" for each in found.values()))
        assert all(each in (["sent"], ["held(guard)", "sent"]) for each in found.values())
        assert await system.command("guard", "list") == "the guard holds nothing\n"
    assert Counter((await system.notified()).values()) == {1: (BURST + 1) * CONTACTS}


async def tripped(system: Running) -> bool:
    return bool((await config_apply.current(system.bootstrap, system.names.config)).switches.guard.open)
