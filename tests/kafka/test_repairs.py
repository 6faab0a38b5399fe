"""Repairs that only a real broker, a real client or a real database shows, each on and off.

As tests/engine/test_repairs.py: `on` the verdict finds nothing, `off` what the repair is there for.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.producer.transaction_manager import PidAndEpoch
from aiokafka.protocol.group import LeaveGroupRequest

from app.contract.instants import DAY
from app.dev.kafka import DevKafka
from app.engine.lane import Lane
from app.engine.ports import StateUnusableError
from app.engine.records import COMMIT_KEY, decode_commit
from app.settings import Settings
from app.streams import app, client, restore, topics
from app.streams.consumer import MembershipLostError
from app.streams.journal import Confirm, FenceError, JournalWriter, TakenOverError
from app.streams.names import Names
from app.streams.opening import OpenLane
from app.streams.patience import Patience
from app.streams.store import RocksStore
from tests.engine.counting import Counting
from tests.engine.world import World
from tests.faults.switching import CHANGES
from tests.kafka.fleet import Fleet, end_of, running
from tests.kafka.test_journal import NOW, a_commit, index
from tests.kafka.waiting import eventually
from tests.switched import both, raising

pytestmark = pytest.mark.kafka

COUNTING = ("tests.faults.worker", "counting")
FACTS = 200
LONG_SECONDS = 12
"""More than twice as long as a leader goes without looking at its topics."""
SESSION_SECONDS = 6


async def without_a_transactional_id(self: JournalWriter) -> PidAndEpoch:
    """Give an identity that no later one fences."""
    producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, enable_idempotence=True)
    await producer.start()
    identity = producer._txn_manager._pid_and_epoch
    await producer.stop()
    return identity


async def unasked(self: JournalWriter, earlier: PidAndEpoch) -> None:
    """Believe that the broker fences."""


@both
async def test_the_broker_refuses_who_wrote_before_the_fence(
    kafka: DevKafka, journal: str, patient: Patience, monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    if not on:
        monkeypatch.setattr(JournalWriter, "_identity", without_a_transactional_id)
        monkeypatch.setattr(JournalWriter, "_probe", unasked)
    early, late = (JournalWriter(kafka.bootstrap, journal, 0, f"{journal}-0", patient) for _ in range(2))
    await early.fence()
    await late.fence()
    await late.append({b"a": b"new"}, a_commit())
    with raising(TakenOverError, so=on):
        await early.append({b"a": b"old"}, a_commit())
    await early.close()
    await late.close()
    rows = {record.key: record.value for record in await client.read(kafka.bootstrap, journal)}
    assert (rows[b"a"] == b"new") is on, "off, an old row lies over a newer one"


@both
async def test_a_broker_that_does_not_fence_is_found_out(
    kafka: DevKafka, journal: str, patient: Patience, monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    monkeypatch.setattr(JournalWriter, "_identity", without_a_transactional_id)
    if not on:
        monkeypatch.setattr(JournalWriter, "_probe", unasked)
    writer = JournalWriter(kafka.bootstrap, journal, 0, f"{journal}-0", patient)
    with raising(FenceError, so=on):
        await writer.fence()
    await writer.close()


@both
async def test_what_a_transaction_aborts_is_not_read(
    kafka: DevKafka, names: Names, tmp_path: Path, *, on: bool
) -> None:
    fleet = await changed(kafka, names, tmp_path, "" if on else "read_uncommitted")
    async with transactional(kafka.bootstrap) as producer:
        for number, commits in enumerate((True, False, True)):
            await producer.begin_transaction()
            for _ in range(FACTS):
                await producer.send_and_wait(names.billing, b"x", b"k%d" % number, partition=0)
            await (producer.commit_transaction() if commits else producer.abort_transaction())
    with running(fleet, 1):
        await eventually(lambda: read_to_the_end(fleet), 60)
        fleet.stop()
    told, _, _ = await fleet.outputs()
    assert len(told) == (2 if on else 3) * FACTS
    assert (b"k1" in await fleet.journal(0)) is not on, "off, it counts what never happened"


@both
async def test_what_a_client_loses_between_fetch_and_lane_is_read_again(
    kafka: DevKafka, names: Names, tmp_path: Path, *, on: bool
) -> None:
    fleet = await changed(kafka, names, tmp_path, "drop_fetches" if on else "drop_fetches,trust_fetches")
    with running(fleet, 1):
        for batch in range(6):
            await fleet.publish([(names.billing, f"k{batch}")] * FACTS)
            await eventually(lambda: read_to_the_end(fleet), 60)
        fleet.stop()
    told, _, _ = await fleet.outputs()
    assert (len(told) == 6 * FACTS) is on, "off, whole fetches are missing, and nobody knows"
    assert ("reading again" in fleet.logged(0)) is on


@both
async def test_a_group_whose_leader_knew_of_no_topic_is_assigned_anew(
    kafka: DevKafka, names: Names, tmp_path: Path, *, on: bool
) -> None:
    fleet = await changed(kafka, names, tmp_path, "assign_blindly" if on else "assign_blindly,look_seldom")

    async def assigned_nothing() -> bool:
        return "Ignoring missing topic" in fleet.logged(0)

    with running(fleet, 1):
        await fleet.publish([(names.billing, "k")] * FACTS)
        await eventually(assigned_nothing, 60)
        with raising(TimeoutError, so=not on):  # off, the worker is well and does nothing, for minutes
            await eventually(lambda: read_to_the_end(fleet), 60 if on else LONG_SECONDS)
        fleet.stop()


@both
async def test_a_worker_that_starts_slowly_reads_all_the_same(
    kafka: DevKafka, names: Names, tmp_path: Path, *, on: bool
) -> None:
    fleet = await changed(kafka, names, tmp_path, "start_slowly" if on else "start_slowly,make_the_queue_when_asked")
    with running(fleet, 1):
        await fleet.publish([(names.billing, "k")] * FACTS)
        with raising(TimeoutError, so=not on):  # off, it is ready, or never joins, and fetches nothing
            await eventually(lambda: read_to_the_end(fleet), 60 if on else LONG_SECONDS)
        fleet.stop()


class Member:
    """What a group's member does as its partitions come and go: one that holds on does not let them go."""

    def __init__(self, topic: str, *, holds: bool) -> None:
        self.topics = (topic,)
        self.running: dict[int, Lane] = {}
        self.has, self.holds_on, self.lets_go = asyncio.Event(), asyncio.Event(), asyncio.Event()
        if not holds:
            self.lets_go.set()

    def wanted(self) -> set[tuple[str, int]]:
        return set()

    def take_seeks(self) -> dict[tuple[str, int], int]:
        return {}

    def assigned(self, assignment: Iterable[tuple[str, int]], confirm: Confirm) -> None:
        self.confirm = confirm
        if list(assignment):
            self.has.set()

    async def close(self) -> None:
        if self.has.is_set():
            self.holds_on.set()
            await self.lets_go.wait()

    def fail(self, error: BaseException) -> None:
        """Stays in its group's eyes what it was."""


@asynccontextmanager
async def joined(bootstrap: str, group: str, state: Path, member: Any) -> AsyncIterator[app.LaneApp]:
    """Have it be in the group, alive."""
    one = app.LaneApp(group, member, Settings(kafka=bootstrap, session_seconds=SESSION_SECONDS, state=state))
    await one.start()
    try:
        yield one
    finally:
        member.lets_go.set()
        await one.stop()


@both
async def test_a_group_waits_no_longer_for_a_member_than_its_lanes_may_take_to_close(
    kafka: DevKafka, journal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    if not on:
        made = faust.App.__init__

        def by_default(self: Any, *args: Any, broker_rebalance_timeout: float, **settings: Any) -> None:
            made(self, *args, **settings)

        monkeypatch.setattr(faust.App, "__init__", by_default)
    holder, newcomer = Member(journal, holds=True), Member(journal, holds=False)
    async with joined(kafka.bootstrap, f"{journal}-group", tmp_path, holder):
        await asyncio.wait_for(holder.has.wait(), 30)
        async with joined(kafka.bootstrap, f"{journal}-group", tmp_path, newcomer):
            await asyncio.wait_for(holder.holds_on.wait(), 30)
            with raising(TimeoutError, so=not on):  # off, nobody works on the group's partitions for a minute
                await asyncio.wait_for(newcomer.has.wait(), SESSION_SECONDS / 3 + 16 + (7 if on else 2))
            holder.lets_go.set()


async def expelled(member: app.LaneApp) -> None:
    """Have the group take it for gone, without its knowing."""
    thread = member.consumer._thread
    coordinator = thread._consumer._coordinator

    async def leave() -> None:
        await coordinator._send_req(LeaveGroupRequest(coordinator.group_id, coordinator.member_id))

    await thread.call_thread(leave)


async def test_whom_its_group_has_expelled_hears_so_as_it_asks(kafka: DevKafka, journal: str, tmp_path: Path) -> None:
    member = Member(journal, holds=False)
    async with joined(kafka.bootstrap, f"{journal}-group", tmp_path, member) as one:
        await asyncio.wait_for(member.has.wait(), 30)
        await member.confirm()
        await expelled(one)
        with pytest.raises(MembershipLostError):
            await member.confirm()


async def changed(kafka: DevKafka, names: Names, directory: Path, changes: str) -> Fleet:
    """Return counting workers with these changes (see switching.py), over topics of one partition."""
    await topics.create(kafka.bootstrap, names, 1, 1)
    return Fleet(kafka.bootstrap, names, directory, COUNTING, **{CHANGES: changes})


async def read_to_the_end(fleet: Fleet) -> bool:
    """Tell whether the lane's last commit covers all of its input."""
    end = await end_of(fleet.bootstrap, fleet.names.billing, 0)
    commit = (await fleet.journal(0)).get(COMMIT_KEY)
    return commit is not None and decode_commit(commit).positions[fleet.names.billing] >= end


def transactional(bootstrap: str) -> AIOKafkaProducer:
    return AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id="upstream")


@both
async def test_rows_ahead_of_the_journal_are_not_gone_on_with(
    kafka: DevKafka, journal: str, patient: Patience, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    """The journal was made anew: what the rows say is not in it."""
    if not on:
        monkeypatch.setattr(restore, "_check_not_ahead", lambda store, fence, where: None)
    fence = await a_journal(kafka.bootstrap, journal, patient)
    store = RocksStore(tmp_path / "0", index, lambda: NOW)
    store.write({b"old": b"1"}, fence + 5)
    with raising(StateUnusableError, so=on):
        await restore.restore(kafka.bootstrap, journal, 0, store, fence, NOW)
    assert store.scan(b"") == [(b"old", b"1")], "off, these pass for the rows of the journal"
    store.close()


@both
async def test_rows_of_another_journal_are_not_gone_on_with(
    kafka: DevKafka, journal: str, patient: Patience, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    if not on:
        monkeypatch.setattr(restore, "_check_same", lambda store, incarnation, where: None)
    fence = await a_journal(kafka.bootstrap, journal, patient)
    store = RocksStore(tmp_path / "0", index, lambda: NOW)
    store.write({b"old": b"1", COMMIT_KEY: a_commit("another")}, 0)
    with raising(StateUnusableError, so=on):
        await restore.restore(kafka.bootstrap, journal, 0, store, fence, NOW)
    assert store.get(b"old") == b"1", "off, rows of two journals are mixed"
    store.close()


@both
async def test_a_copy_too_old_to_know_what_was_deleted_is_made_anew(
    kafka: DevKafka, journal: str, patient: Patience, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    if not on:
        monkeypatch.setattr(restore, "KEPT_FOR", 400 * DAY)
    fence = await a_journal(kafka.bootstrap, journal, patient)
    store = RocksStore(tmp_path / "0", index, lambda: NOW)
    store.write({b"deleted long ago": b"1"}, 0, stamp=NOW - 4 * DAY)
    await restore.restore(kafka.bootstrap, journal, 0, store, fence, NOW)
    assert (store.scan(b"") == [(b"a", b"1")]) is on, "off, a deleted row is back"
    store.close()


async def a_journal(bootstrap: str, journal: str, patient: Patience) -> int:
    """Write row a, and return the offset of the next owner's fence."""
    writer = JournalWriter(bootstrap, journal, 0, f"{journal}-0", patient)
    await writer.fence()
    await writer.append({b"a": b"1"}, a_commit())
    fence = await writer.fence()
    await writer.close()
    return fence


@both
async def test_a_lane_that_ends_lets_its_database_go(
    kafka: DevKafka, patient: Patience, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    if not on:
        monkeypatch.setattr(RocksStore, "close", lambda self: None)
    store = RocksStore(tmp_path / "0", index, lambda: NOW)
    await OpenLane(World(Counting).lane(), store, JournalWriter(kafka.bootstrap, "j", 0, "j-0", patient)).close()
    with pytest.raises(Exception, match=r"(?i)lock") if not on else nullcontext():
        RocksStore(tmp_path / "0", index, lambda: NOW).close()  # off, the partition cannot come back to this process
