"""More partitions while somebody publishes, on a real broker: everything takes effect once, where its account is."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from app import clock
from app.config.check import Config
from app.dev.kafka import DevKafka
from app.dev.mailbox import Mailbox
from app.engine.dead_letters import DeadLetter, encode_letter
from app.engine.records import COMMIT_KEY, REPLAY_HEADER, Commit, decode_commit, header
from app.growth import growing
from app.growth.forwarding import Forwarding
from app.growth.growing import GrowthError
from app.growth.journals import Table, Unread
from app.growth.placing import owner_of_attempt, owner_of_book_row
from app.streams import client
from app.streams.names import Names
from app.streams.opening import MOVING_KEY
from app.streams.partitioner import partition_of
from app.streams.rewriting import Changes
from tests.builders import Event, a_company, a_payment, a_rule, account_event
from tests.kafka.growth import Killed, drop_letters, grow, refused
from tests.kafka.system import System, came, ending, wanted_mails
from tests.kafka.waiting import eventually

pytestmark = pytest.mark.kafka

FEW, FEW_MORE = 2, 3
ACCOUNTS = [f"a{number}" for number in range(8)]
REPLAYED = b"billing.events/1/7"
LIVE = {"WHIMBREL_TICKS": "timer", "WHIMBREL_TICK_SECONDS": "1"}


def payments(name: str) -> list[Event]:
    """One failed payment of each account: each decides once to write to it."""
    return [a_payment(clock.now(), account=account, payment_id=f"{name}-{account}") for account in ACCOUNTS]


def subjects(*names: str) -> list[str]:
    return sorted(f"payment:{name}-{account}:1" for name in names for account in ACCOUNTS)


async def tell(
    system: System, partitions: int, events: Sequence[Event], topic: str | None = None, name: bytes | None = None
) -> None:
    """Publish as somebody does who knows of so many partitions; `name` as the record that it is a replay of."""
    headers = [] if name is None else [(REPLAY_HEADER, name)]
    async with client.opened_producer(system.bootstrap) as producer:
        for event in events:
            account = event["subject"]
            await producer.send_and_wait(
                topic or system.names.billing,
                orjson.dumps(event),
                account.encode(),
                partition=partition_of(account, partitions),
                headers=headers,
            )


async def append(system: System, topic: str, *values: bytes, key: bytes | None = b"a0") -> None:
    """Write to partition 0."""
    async with client.opened_producer(system.bootstrap) as producer:
        for value in values:
            await producer.send_and_wait(topic, value, key, partition=0)


def start(system: System, partitions: int) -> None:
    for name, app in (("one", "triggers"), ("sender", "sender")):
        system.start(name, app, **LIVE, WHIMBREL_PARTITIONS=str(partitions))


async def stop(system: System) -> None:
    """End the workers in good order, once both apps have begun in both partitions, and all that there is was read."""
    await eventually(lambda: all_is_read(system), 90)
    for name in ("one", "sender"):
        await system.workers.leave(name)


async def all_is_read(system: System) -> bool:
    names = system.names
    book, attempts = [await committed(system, journal) for journal in (names.book_journal, names.attempts_journal)]
    topics = (*names.facts, names.outbox)
    records = [record for topic in topics for record in await client.read(system.bootstrap, topic)]
    ended = Counter((record.topic, record.partition) for record in records)
    read = {
        (topic, partition): offset
        for commits in (book, attempts)
        for partition, commit in commits.items()
        for topic, offset in commit.positions.items()
    }
    begun = len(book) == len(attempts) == FEW and all(commit.cursor for commit in book.values())
    return begun and all(read.get(place) == count for place, count in ended.items())


async def committed(system: System, journal: str) -> dict[int, Commit]:
    return {
        record.partition: decode_commit(record.value)
        for record in await client.read(system.bootstrap, journal)
        if record.key == COMMIT_KEY and record.value
    }


async def live(system: System) -> None:
    """A running system of two partitions that knows the accounts."""
    company = a_company()
    await system.prepare(Config((a_rule("payment_failed"),), {company.id: company}))
    start(system, FEW)
    await tell(system, FEW, [account_event(clock.now(), account=account) for account in ACCOUNTS])


@asynccontextmanager
async def living(kafka: DevKafka, names: Names, tmp_path: Path) -> AsyncIterator[tuple[System, Mailbox]]:
    """Yield such a system and its mailbox; in the end its workers are ended."""
    async with Mailbox() as mailbox:
        system = System(kafka.bootstrap, names, tmp_path, mailbox.port, FEW)
        with ending(system):
            await live(system)
            yield system, mailbox


async def decided(system: System, mailbox: Mailbox, *names: str) -> None:
    """All payments of these names were decided, each once and where its account is now, and each mail came once."""
    wanted = subjects(*names)
    await eventually(lambda: has_decided(system, len(wanted)), 90)
    await mailbox.wait_for(lambda box: box.total >= len(wanted), 90)
    decisions = await system.decided()
    assert sorted(decision["subject"] for decision in decisions) == wanted, system.logs()
    assert came(mailbox) == wanted_mails(decisions), "each mail once"


async def has_decided(system: System, count: int) -> bool:
    return len(await system.decided()) >= count


async def places(system: System, topic: str) -> dict[str, set[int]]:
    """Return the partitions of the topic in which there are records of each account."""
    found: dict[str, set[int]] = {account: set() for account in ACCOUNTS}
    for record in await client.read(system.bootstrap, topic):
        found[(record.key or b"").decode()].add(record.partition)
    return found


async def nobody_is_left_behind(system: System) -> bool:
    """Whether all rows of both tables lie where facts of their account will."""
    names = system.names
    found = []
    for journal, owner_of in ((names.book_journal, owner_of_book_row), (names.attempts_journal, owner_of_attempt)):
        rows: dict[tuple[int, bytes], bytes | None] = {}
        for record in await client.read(system.bootstrap, journal):
            rows[record.partition, record.key or b""] = record.value
        for (partition, key), value in rows.items():
            owner = None if value is None or key.startswith(b"~") else owner_of(key)
            if owner is not None:
                found.append(partition_of(owner, FEW_MORE) == partition)
    return bool(found) and all(found)


def amid(step: str, system: System, monkeypatch: pytest.MonkeyPatch, *, dies: bool = False) -> None:
    """Somebody who was not paused publishes before the partitions are added, or right after; then the run may die."""
    method = getattr(growing._Growth, step)

    async def meanwhile(self: growing._Growth, *arguments: Mapping[str, int]) -> None:
        if step == "_create":
            await method(self, *arguments)
        await tell(system, FEW, payments("amid"))
        await tell(system, FEW, payments("again"), system.names.replays, REPLAYED)
        if step != "_create":
            await method(self, *arguments)
        if dies:
            raise Killed

    monkeypatch.setattr(growing._Growth, step, meanwhile)


async def test_what_is_published_once_there_are_partitions_takes_effect_once_where_its_account_is_by_then(
    kafka: DevKafka, names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = {(partition_of(account, FEW), partition_of(account, FEW_MORE)) for account in ACCOUNTS}
    assert ways >= {(0, 0), (0, 1), (1, 0), (1, 2)}, "some stay, others move, to partitions old and new"
    async with living(kafka, names, tmp_path) as (system, mailbox):
        await stop(system)
        said: list[str] = []
        with monkeypatch.context() as patched:
            amid("_create", system, patched)
            assert await grow(system, FEW_MORE, "timer", said) is not None
        start(system, FEW_MORE)
        await decided(system, mailbox, "amid", "again")
        await tell(system, FEW_MORE, payments("after"))
        await decided(system, mailbox, "amid", "again", "after")
    assert [line for line in said if "came meanwhile" in line] == [
        f"{topic}: {len(ACCOUNTS)} records came meanwhile; copies of them are where their accounts are now"
        for topic in (names.billing, names.replays)
    ]
    there = {account: {partition_of(account, FEW_MORE)} for account in ACCOUNTS}
    assert await places(system, names.decisions) == there
    assert await nobody_is_left_behind(system)
    assert await client.read(kafka.bootstrap, names.dead_letters) == []
    came_from = Counter(header(each, REPLAY_HEADER) for each in await client.read(kafka.bootstrap, names.replays))
    assert came_from.pop(REPLAYED) == 2 * len(ACCOUNTS), "a copy names what its original is a replay of"
    assert set(came_from.values()) == {1}
    assert sum(came_from.values()) == len(ACCOUNTS)


async def test_broken_off_amid_copies_and_amid_the_end_it_goes_on_and_nothing_is_decided_twice(
    kafka: DevKafka, names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied, written = Forwarding.copied, growing._Growth._append

    async def before_the_position(self: Forwarding, left: Unread, *, go_on: bool) -> bool:
        assert await copied(self, left, go_on=go_on)
        raise Killed

    async def before_the_last_marks(
        self: growing._Growth, table: Table, partition: int, changes: Changes, commit: bytes
    ) -> None:
        if partition == 1 and changes.get(MOVING_KEY, b"") is None:
            raise Killed
        await written(self, table, partition, changes, commit)

    async with living(kafka, names, tmp_path) as (system, mailbox):
        await stop(system)
        with monkeypatch.context() as patched:
            amid("_create", system, patched, dies=True)
            with pytest.raises(Killed):
                await grow(system, FEW_MORE, "timer")
        with monkeypatch.context() as patched:
            patched.setattr(Forwarding, "copied", before_the_position)
            with pytest.raises(Killed):
                await grow(system, FEW_MORE, "timer")
        with monkeypatch.context() as patched:
            patched.setattr(growing._Growth, "_append", before_the_last_marks)
            with pytest.raises(Killed):
                await grow(system, FEW_MORE, "timer")
        await tell(system, FEW, payments("late"))
        said: list[str] = []
        assert await grow(system, FEW_MORE, "timer", said) is not None
        assert [line.partition(" came")[0] for line in said] == [f"{names.billing}: {len(ACCOUNTS)} records"]
        assert await grow(system, FEW_MORE, "timer") is None, "nothing is left to do"
        start(system, FEW_MORE)
        await decided(system, mailbox, "amid", "again", "late")
        await tell(system, FEW_MORE, payments("after"))
        await decided(system, mailbox, "amid", "again", "late", "after")
    copies = Counter(header(each, REPLAY_HEADER) for each in await client.read(kafka.bootstrap, names.replays))
    del copies[REPLAYED]
    assert len(copies) == 2 * len(ACCOUNTS)
    assert max(copies.values()) > 1, "what was copied before it was broken off was copied again"
    assert await nobody_is_left_behind(system)
    assert await client.read(kafka.bootstrap, names.dead_letters) == []


async def test_what_is_published_before_there_are_partitions_is_read_first_where_it_lies(
    kafka: DevKafka, names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with living(kafka, names, tmp_path) as (system, mailbox):
        await stop(system)
        with monkeypatch.context() as patched:
            amid("_check_once_more", system, patched)
            with pytest.raises(GrowthError, match="not everything is worked off"):
                await grow(system, FEW_MORE, "timer")
        assert len(await client.partitions_of(kafka.bootstrap, names.billing)) == FEW
        start(system, FEW)
        await decided(system, mailbox, "amid", "again")
        await stop(system)
        assert await grow(system, FEW_MORE, "timer") is not None
    assert await nobody_is_left_behind(system)


def a_letter(names: Names, offset: int) -> bytes:
    at, reason = "2026-06-10T13:00:00Z", "handler: KeyError"
    return encode_letter(DeadLetter(topic=names.billing, partition=0, offset=offset, field="", reason=reason, at=at))


async def test_open_dead_letters_refuse_it_before_anybody_is_shut_out_and_not_one_that_was_begun(
    kafka: DevKafka, names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with living(kafka, names, tmp_path) as (system, mailbox):
        await eventually(lambda: all_is_read(system), 90)
        await append(system, names.dead_letters, *(a_letter(names, offset) for offset in range(12)))
        with pytest.raises(GrowthError, match=r"open \(12\)(.|\n)*billing.events/0/9\n  and 2 more$"):
            await grow(system, FEW_MORE, "timer")
        await tell(system, FEW, payments("after"))
        await decided(system, mailbox, "after")
        await drop_letters(system)
        await stop(system)
        with monkeypatch.context() as patched:
            amid("_create", system, patched, dies=True)
            with pytest.raises(Killed):
                await grow(system, FEW_MORE, "timer")
        await append(system, names.dead_letters, a_letter(names, 12))
        await append(system, names.billing, b"nobody's", key=None)
        assert await grow(system, FEW_MORE, "timer") is not None
    (copy,) = [each for each in await client.read(kafka.bootstrap, names.replays) if each.key is None]
    assert (copy.partition, copy.value) == (0, b"nobody's"), "what has no key stays in its partition"


async def test_what_cannot_be_sent_on_stops_it_and_keeps_workers_out(
    kafka: DevKafka, names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = growing._Growth._create

    async def meanwhile(self: growing._Growth, counts: Mapping[str, int]) -> None:
        await create(self, counts)
        await append(system, names.outbox, b"{")

    async with living(kafka, names, tmp_path) as (system, _):
        await stop(system)
        monkeypatch.setattr(growing._Growth, "_create", meanwhile)
        for _ in range(2):
            with pytest.raises(GrowthError, match=r"workers stay shut out(.|\n)*outbox\[0\]: 1 records are not"):
                await grow(system, FEW_MORE, "timer")
        system.start("early", **LIVE)
        await eventually(lambda: refused(system), 60)
