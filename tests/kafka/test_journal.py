"""The journal's one writer, and the rows that come back from what it wrote, on a real broker."""

import asyncio
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path

import pytest

from app import clock
from app.contract.instants import DAY, SECOND
from app.dev.kafka import DevKafka
from app.engine.ports import BatchTooLargeError, StateUnusableError
from app.engine.records import COMMIT_KEY, Commit, encode_commit
from app.streams import client
from app.streams.journal import BATCH_BYTES, ClockOffError, FenceError, JournalWriter, TakenOverError
from app.streams.names import Names
from app.streams.patience import Patience
from app.streams.restore import restore
from app.streams.store import RocksStore
from tests.faults.altered import alter
from tests.kafka.waiting import eventually
from tests.switched import both

pytestmark = pytest.mark.kafka

NOW = 1_780_000_000_000_000


def index(key: bytes, value: bytes) -> Iterable[bytes]:
    yield value + b"|" + key


def a_commit(incarnation: str = "i") -> bytes:
    return encode_commit(Commit(incarnation=incarnation, positions={}))


async def test_after_a_fence_an_earlier_writer_is_refused(kafka: DevKafka, journal: str, patient: Patience) -> None:
    early = JournalWriter(kafka.bootstrap, journal, 0, f"{journal}-0", patient)
    late = JournalWriter(kafka.bootstrap, journal, 0, f"{journal}-0", patient)
    first = await early.fence()
    assert await early.append({b"a": b"1"}, a_commit()) == first + 2
    second = await late.fence()
    assert second == first + 3
    with pytest.raises(TakenOverError, match="another worker has taken the partition over"):
        await early.append({b"a": b"2"}, a_commit())
    assert await late.append({b"a": b"3"}, a_commit()) == second + 2
    await asyncio.gather(early.close(), late.close())
    written = [(record.key, record.value) for record in await client.read(kafka.bootstrap, journal)]
    assert [value for key, value in written if key == b"a"] == [b"1", b"3"]


async def test_a_batch_that_does_not_fit_is_refused_whole(kafka: DevKafka, journal: str, patient: Patience) -> None:
    writer = JournalWriter(kafka.bootstrap, journal, 0, f"{journal}-0", patient)
    fence = await writer.fence()
    with pytest.raises(BatchTooLargeError):
        await writer.append({b"a": b"x", b"b": b"x" * BATCH_BYTES}, a_commit())
    with pytest.raises(BatchTooLargeError):
        await writer.append({}, b"x" * BATCH_BYTES)
    assert await writer.append({b"c": b"1"}, a_commit()) == fence + 2
    await writer.close()


async def test_rows_deletions_and_index_come_back_from_the_journal(
    kafka: DevKafka, journal: str, patient: Patience, tmp_path: Path
) -> None:
    writer = JournalWriter(kafka.bootstrap, journal, 0, f"{journal}-0", patient)
    await writer.fence()
    await writer.append({b"a": b"1", b"b": b"1"}, a_commit())
    await writer.append({b"a": b"2", b"b": None}, a_commit())
    fence = await writer.fence()
    await writer.close()
    store = RocksStore(tmp_path / "0", index, lambda: NOW)
    await restore(kafka.bootstrap, journal, 0, store, fence, NOW)
    assert store.scan(b"") == [(b"a", b"2")]
    assert store.due(b"", b"\xff") == [(b"2|a", b"a")]
    assert store.get(COMMIT_KEY) == a_commit()
    assert store.offset == fence
    store.close()


class KilledError(Exception):
    """The process was killed here."""


async def test_a_restore_killed_amid_goes_on_from_what_it_has_kept(
    kafka: DevKafka, journal: str, patient: Patience, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.streams.restore.CHUNK_RECORDS", 4)
    writer = JournalWriter(kafka.bootstrap, journal, 0, f"{journal}-0", patient)
    begin = await writer.fence()
    for number in range(1, 9):
        await writer.append({b"a": b"%d" % number, b"k%d" % number: b"%d" % number}, a_commit())
    fence = await writer.fence()
    await writer.close()
    indexed: list[tuple[bytes, bytes]] = []

    def noting(key: bytes, value: bytes) -> Iterable[bytes]:
        indexed.append((key, value))
        return index(key, value)

    def killed(key: bytes, value: bytes) -> Iterable[bytes]:
        if value == b"6":
            raise KilledError
        return index(key, value)

    store = RocksStore(tmp_path / "0", killed, lambda: NOW)
    with pytest.raises(KilledError):
        await restore(kafka.bootstrap, journal, 0, store, fence, NOW)
    kept = store.offset
    assert begin < kept < fence
    store.close()
    store = RocksStore(tmp_path / "0", noting, lambda: NOW)
    assert store.offset == kept
    await restore(kafka.bootstrap, journal, 0, store, fence, NOW)
    assert store.scan(b"") == [(b"a", b"8"), *((b"k%d" % number, b"%d" % number) for number in range(1, 9))]
    assert store.due(b"", b"\xff") == sorted((value + b"|" + key, key) for key, value in store.scan(b""))
    assert not any(key == b"k1" for key, _ in indexed), "the first chunk was kept"
    store.close()


async def test_a_copy_too_old_to_know_of_deletions_is_made_anew(
    kafka: DevKafka, journal: str, patient: Patience, tmp_path: Path
) -> None:
    store = RocksStore(tmp_path / "0", index, lambda: NOW)
    store.write({b"deleted long ago": b"1"}, 0, stamp=NOW - 4 * DAY)
    writer = JournalWriter(kafka.bootstrap, journal, 0, f"{journal}-0", patient)
    await writer.fence()
    await writer.append({b"a": b"1"}, a_commit())
    fence = await writer.fence()
    await writer.close()
    await restore(kafka.bootstrap, journal, 0, store, fence, NOW)
    assert store.scan(b"") == [(b"a", b"1")]
    store.close()


@both
async def test_what_a_writer_adds_that_has_not_seen_its_journal_go_is_refused(
    kafka: DevKafka, journal: str, patient: Patience, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    if not on:
        monkeypatch.setattr("app.streams.restore._check_place", lambda records, where: None)
    writer = JournalWriter(kafka.bootstrap, journal, 0, f"{journal}-0", patient)
    fence = await writer.fence()
    await writer.append({b"a": b"1"}, encode_commit(Commit(incarnation="i", offset=fence + 50, positions={})))
    fence = await writer.fence()
    await writer.close()
    store = RocksStore(tmp_path / "new", index, lambda: NOW)
    with pytest.raises(StateUnusableError, match="made anew beneath a worker") if on else nullcontext():
        await restore(kafka.bootstrap, journal, 0, store, fence, NOW)
    assert store.scan(b"") == ([] if on else [(b"a", b"1")]), "off, a part of the state passes for all of it"
    store.close()


async def test_rows_that_come_from_another_journal_are_refused(
    kafka: DevKafka, journal: str, patient: Patience, tmp_path: Path
) -> None:
    writer = JournalWriter(kafka.bootstrap, journal, 0, f"{journal}-0", patient)
    await writer.fence()
    await writer.append({b"a": b"1"}, a_commit())
    fence = await writer.fence()
    await writer.close()
    ahead = RocksStore(tmp_path / "ahead", index, lambda: NOW)
    ahead.write({b"b": b"1", COMMIT_KEY: a_commit()}, fence + 5)
    with pytest.raises(StateUnusableError, match="remove that directory"):
        await restore(kafka.bootstrap, journal, 0, ahead, fence, NOW)
    ahead.close()
    other = RocksStore(tmp_path / "other", index, lambda: NOW)
    other.write({b"b": b"1", COMMIT_KEY: a_commit("another")}, 0)
    with pytest.raises(StateUnusableError, match="another journal"):
        await restore(kafka.bootstrap, journal, 0, other, fence, NOW)
    other.close()


@pytest.mark.parametrize("seconds", [-3_600, -40, 40, 3_600])
async def test_whose_clock_is_off_the_brokers_is_told_at_the_fence(
    kafka: DevKafka, journal: str, patient: Patience, seconds: int
) -> None:

    def wrong() -> int:
        return clock.now() + seconds * SECOND

    watched, unwatched = (
        JournalWriter(kafka.bootstrap, journal, 0, f"{journal}-0", patient, each) for each in (wrong, None)
    )
    with pytest.raises(ClockOffError, match=r"clock is .* s off the broker's") as raised:
        await watched.fence()
    said = int(str(raised.value).split()[4].replace(",", ""))
    assert abs(seconds) - 9 <= said <= abs(seconds), "less what the append took, where it is fast"
    await watched.close()
    await unwatched.fence()  # off: nobody notices
    await unwatched.close()


@pytest.mark.parametrize("seconds", [-20, 20])
async def test_who_was_stopped_as_it_appended_has_no_wrong_clock(
    kafka: DevKafka, journal: str, patient: Patience, seconds: int
) -> None:
    looked = 0

    def stopped() -> int:
        """As where ten minutes go by between the first look and the second."""
        nonlocal looked
        looked += 1
        return clock.now() + (seconds + (looked % 2 - 1) * -600) * SECOND

    writer = JournalWriter(kafka.bootstrap, journal, 0, f"{journal}-0", patient, stopped)
    await writer.fence()
    assert looked == 2
    await writer.close()


async def test_a_journal_that_does_not_tell_the_brokers_time_is_named(
    kafka: DevKafka, journal: str, patient: Patience, names: Names
) -> None:
    await alter(kafka.bootstrap, names, [journal], {"message.timestamp.type": "CreateTime"})
    writer = JournalWriter(kafka.bootstrap, journal, 0, f"{journal}-0", patient, clock.now)

    async def refused() -> bool:
        try:
            await writer.fence()
        except FenceError as error:
            assert f"{journal}: message.timestamp.type must be LogAppendTime" in str(error)  # noqa: PT017 - it may not be raised yet
            return True
        return False  # the broker has acknowledged the setting, and may not go by it yet

    await eventually(refused)
    await writer.close()
