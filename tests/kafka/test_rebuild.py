"""`whimbrel rebuild` on a real broker: compared, mended, put in place; and never anything sent."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from msgspec.structs import replace

from app.config.check import Config, load_dir
from app.contract.instants import SECOND
from app.dev.kafka import DevKafka
from app.dev.mailbox import Mailbox
from app.domain.book import account_of, pack
from app.domain.rules import Rulebook
from app.rebuild.partition import Result
from app.rebuild.reading import MissingError, Plan, rebuilt
from app.rebuild.switching import switched, writer_of
from app.streams import rewriting
from app.streams.journal import JournalWriter
from app.streams.names import Names
from app.streams.rewriting import append, fenced, patient
from app.triggers import REGISTRY
from tests.faults.altered import make_anew
from tests.kafka.house import House
from tests.kafka.system import PARTITIONS, System, came, comparable, ending, wanted_mails
from tests.kafka.waiting import eventually

pytestmark = pytest.mark.kafka

Changes = Mapping[bytes, bytes | None]


class Killed(BaseException):
    """The process ends here."""


class Doubted(House):
    """A state that is in doubt."""

    @property
    def plan(self) -> Plan:
        return Plan(
            bootstrap=self.system.bootstrap,
            names=self.names,
            rulebook=self.rulebook,
            external=True,
            lag=10 * SECOND,
        )

    async def compared(self, plan: Plan | None = None) -> list[Result]:
        found = [await rebuilt(plan or self.plan, partition) for partition in range(PARTITIONS)]
        return [each[1] for each in found if each is not None]

    async def doctor(self, partition: int, changes: Changes) -> None:
        """Write rows as a faulty program would have."""
        async with patient(self.system.bootstrap) as patience:
            found = await rebuilt(self.plan, partition)
            assert found is not None
            async with fenced(writer_of(self.plan, self.app, partition, patience)) as (writer, _):
                await append(writer, changes, found[0].written)

    async def switch(self, plan: Plan | None = None) -> list[Result | None]:
        async with patient(self.system.bootstrap) as patience:
            return [await switched(plan or self.plan, self.app, each, patience) for each in range(PARTITIONS)]


@pytest.fixture
def config() -> Config:
    return load_dir(Path(__file__).parents[2] / "deploy" / "config", REGISTRY)


@pytest.fixture
def appended(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The topics to which this process appends anything from now on."""
    topics: set[str] = set()
    send, send_batch = AIOKafkaProducer.send, AIOKafkaProducer.send_batch

    async def seen(self: AIOKafkaProducer, topic: str, *args: Any, **more: Any) -> Any:
        topics.add(topic)
        return await send(self, topic, *args, **more)

    async def batch_seen(self: AIOKafkaProducer, batch: Any, topic: str, **more: Any) -> Any:
        topics.add(topic)
        return await send_batch(self, batch, topic, **more)

    monkeypatch.setattr(AIOKafkaProducer, "send", seen)
    monkeypatch.setattr(AIOKafkaProducer, "send_batch", batch_seen)
    return topics


async def test_a_state_is_rebuilt_mended_and_gone_on_with(
    kafka: DevKafka, names: Names, tmp_path: Path, config: Config, appended: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Mailbox() as mailbox:
        system = System(kafka.bootstrap, names, tmp_path, mailbox.port)
        house = Doubted(system, config)
        with ending(system):
            await system.prepare(config)
            for name, app in (("one", "triggers"), ("two", "triggers"), ("sender", "sender")):
                system.start(name, app)
            await house.publish(house.played[: house.half])
            await eventually(house.worked_off, 120)
            for name in ("one", "two"):
                await system.workers.leave(name)
            appended.clear()
            await nothing_differs_and_nothing_is_sent(house, appended)
            await what_was_doctored_is_found_and_mended(house, appended, monkeypatch)
            for name in ("one", "three"):  # one with rows of its own, one with none
                system.start(name)
            await house.publish(house.played[house.half :])
            expected = house.expected()
            await house.decided(expected)
            wanted = wanted_mails(expected)
            await mailbox.wait_for(lambda box: box.total >= wanted.total(), 90)
            decided = await system.decided()
    assert comparable(decided) == comparable(expected), system.logs()
    assert came(mailbox) == wanted, "each mail once"


async def nothing_differs_and_nothing_is_sent(house: Doubted, appended: set[str]) -> None:
    topics = (house.names.outbox, house.names.decisions, house.names.returns, house.names.dead_letters)
    before = await house.ends(*topics, house.names.book_journal)
    results = await house.compared()
    assert [result.comparison.found for result in results] == [[]] * PARTITIONS
    assert sum(result.comparison.equal["decided"] for result in results) > 20
    assert not any(result.undecided for result in results)
    # Rules that nobody has decided by: whatever they call up would be sent, if anything were.
    more = [replace(rule, id=f"new-{rule.id}") for rule in house.config.rules]
    rulebook = Rulebook([*house.config.rules, *more], house.config.companies)
    results = await house.compared(replace(house.plan, rulebook=rulebook))
    assert sum(len(result.undecided) for result in results) > 20
    assert await house.ends(*topics, house.names.book_journal) == before
    assert not appended


async def what_was_doctored_is_found_and_mended(
    house: Doubted, appended: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed: dict[int, Changes] = {}
    for partition in range(PARTITIONS):
        found = await rebuilt(house.plan, partition)
        assert found is not None
        changed[partition] = doctored(found[0].rows)
        await house.doctor(partition, changed[partition])
    results = await house.compared()
    for partition, result in enumerate(results):
        assert {each.key for each in result.comparison.found} == set(changed[partition])
    kinds = {(each.table, each.kind, each.fields) for each in results[0].comparison.found}
    assert ("accounts", "differs", ("details",)) in kinds
    assert {("invoices", "only new", ()), ("decided", "only new", ()), ("invoices", "only old", ())} <= kinds
    topics = (house.names.outbox, house.names.decisions, house.names.returns, house.names.dead_letters)
    before = await house.ends(*topics)
    appended.clear()
    await killed_amid_the_switch(house, monkeypatch)
    await house.switch()
    assert [result.comparison.found for result in await house.compared()] == [[]] * PARTITIONS
    assert appended == {house.names.book_journal}
    assert await house.ends(*topics) == before


async def killed_amid_the_switch(house: Doubted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some rows are mended, the others are not yet."""
    write, count = JournalWriter.append, 0

    async def dying(self: JournalWriter, changes: Changes, commit: bytes) -> int:
        nonlocal count
        count += 1
        if count == 3:
            raise Killed
        return await write(self, changes, commit)

    with monkeypatch.context() as patched:
        patched.setattr(rewriting, "ROWS", 1)
        patched.setattr(JournalWriter, "append", dying)
        with pytest.raises(Killed):
            await house.switch()
    left = [each for result in await house.compared() for each in result.comparison.found]
    assert 0 < len(left) < 4 * PARTITIONS


def doctored(rows: Mapping[bytes, bytes]) -> Changes:
    """An invoice and a decision lost, an invoice that never was, an account under another name."""
    account = next(
        key
        for key, value in rows.items()
        if key.startswith(b"account/") and key.endswith(b"/") and account_of(key, value).details is not None
    )
    details = account_of(account, rows[account]).details
    assert details is not None
    renamed = replace(account_of(account, rows[account]), details=replace(details, name="Nobody"))
    invoice, other = list(filter(lambda key: b"/invoice/" in key, rows))[:2]
    return {
        account: pack(renamed),
        invoice: None,
        next(key for key in rows if key.startswith(b"decided/")): None,
        other + b"-that-never-was": rows[other],
    }


@asynccontextmanager
async def half_a_history(kafka: DevKafka, names: Names, directory: Path, config: Config) -> AsyncIterator[Doubted]:
    """Have one worker of the triggers app, `one`, work off the first half."""
    async with Mailbox() as mailbox:
        system = System(kafka.bootstrap, names, directory, mailbox.port)
        house = Doubted(system, config)
        with ending(system):
            await system.prepare(config)
            system.start("one")
            await house.publish(house.played[: house.half])
            await eventually(house.worked_off, 120)
            yield house


async def test_a_running_worker_is_shut_out_of_the_partition(
    kafka: DevKafka, names: Names, tmp_path: Path, config: Config
) -> None:
    async with half_a_history(kafka, names, tmp_path, config) as house:
        await house.switch()
        await house.publish(house.played[house.half :])
        assert await asyncio.to_thread(house.system.workers["one"].process.wait, 60) != 0


async def test_of_a_topic_that_was_made_anew_nothing_is_put_in_place_unless_what_is_missing_is_kept(
    kafka: DevKafka, names: Names, tmp_path: Path, config: Config, appended: set[str]
) -> None:
    async with half_a_history(kafka, names, tmp_path, config) as house:
        system = house.system
        await system.workers.leave("one")
        await make_anew(kafka.bootstrap, names, names.billing)
        system.start("one", WHIMBREL_LOST_INPUT="go_on")
        await eventually(lambda: is_ready(system, "one"), 60)
        await house.publish(house.played[house.half :])
        await eventually(house.worked_off, 120)
        await system.workers.leave("one")
        before = await house.ends(names.book_journal)
        appended.clear()
        with pytest.raises(MissingError, match=r"(?s)partition 0: events of \d+ accounts,.*--keep-missing"):
            await rebuilt(house.plan, 0)
        assert not appended
        assert await house.ends(names.book_journal) == before
        plan = replace(house.plan, keep_missing=True)
        results = await house.switch(plan)
        assert [None if each is None else each.comparison.found for each in results] == [[]] * PARTITIONS
        assert all(each is not None and each.kept for each in results)


async def is_ready(system: System, name: str) -> bool:
    return system.workers.ready(name)
