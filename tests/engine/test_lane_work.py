"""What a lane does with work from outside, and how it ends."""

import asyncio

import pytest

from app.contract.instants import HOUR
from app.engine.handler import LaneAccess, View
from app.engine.lane import LaneStoppedError
from app.engine.ports import BatchTooLargeError, JournalIntrudedError
from app.engine.txn import Txn
from tests.engine.counting import Counting
from tests.engine.world import World, settle, until


async def test_work_from_outside_is_committed_in_one_group() -> None:
    world = World(Counting)
    lane = world.lane()
    running = asyncio.create_task(lane.run())
    await settle()
    before = len(world.journal.records)

    def work(number: int) -> None:
        def put(txn: Txn, view: View) -> None:
            txn.put(b"work%d" % number, b"1")
            txn.send("out", None, b"{}")

        futures.append(lane.apply(put))

    futures: list[asyncio.Future[None]] = []
    for number in range(5):
        work(number)
    await asyncio.gather(*futures)
    keys = [key for key, _ in world.journal.records[before:]]
    assert keys == [b"work0", b"work1", b"work2", b"work3", b"work4", b"~commit"]
    assert len(world.sent()) == 5
    assert lane.read().get(b"work3") == b"1"
    await lane.stop()
    await running
    with pytest.raises(LaneStoppedError):
        await lane.apply(lambda txn, view: None)


async def test_a_lane_that_ends_refuses_what_waits_and_leaves_alone_what_was_given_up() -> None:
    lane = World(Counting).lane()
    waiting, given_up = (lane.apply(lambda txn, view: None) for _ in range(2))
    given_up.cancel()
    await lane.stop()
    await lane.run()
    with pytest.raises(LaneStoppedError):
        await waiting
    assert given_up.cancelled()


async def test_work_too_large_is_refused_and_the_others_are_done() -> None:
    world = World(Counting, capacity=600)
    lane = world.lane()
    running = asyncio.create_task(lane.run())
    small = lane.apply(lambda txn, view: txn.put(b"small", b"1"))
    huge = lane.apply(lambda txn, view: txn.put(b"huge", b"1" * 1_000))
    other = lane.apply(lambda txn, view: txn.put(b"other", b"1"))
    results = await asyncio.gather(small, huge, other, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), BatchTooLargeError, type(None)]
    assert world.counts() == {"small": 1, "other": 1}
    await lane.stop()
    await running


async def test_an_append_by_someone_else_ends_the_lane() -> None:
    world = World(Counting)
    lane = world.lane()
    running = asyncio.create_task(lane.run())
    await settle()
    world.journal.records.append((b"intruder", b"1"))
    world.fact("a", "k")
    for topic in ("a", "b"):
        world.fetch(lane, topic)
    with pytest.raises(JournalIntrudedError):
        await running
    assert world.counts() == {}
    assert world.facts_in_order() == []


async def test_after_an_hour_the_journal_is_fenced_again() -> None:
    world = World(Counting)
    lane = world.lane()
    running = asyncio.create_task(lane.run())
    await settle()
    world.now += 2 * HOUR
    lane.wake()
    await settle()
    world.fact("a", "k")
    for topic in ("a", "b"):
        world.fetch(lane, topic)
    await until(world.counts)
    first, again = [b"~fence", b"~commit"], [b"~commit", b"~fence"]
    assert [key for key, _ in world.journal.records] == [*first, *again, b"k", b"~commit"]
    await lane.stop()
    await running


async def test_a_companion_ends_its_tasks_before_the_lane_ends() -> None:
    told: list[str] = []

    class Companionable(Counting):
        async def started(self, lane: LaneAccess) -> None:
            self.lane = lane

        async def stopping(self) -> None:
            await self.lane.apply(lambda txn, view: txn.put(b"last", b"1"))
            told.append("stopping")

        def committed(self) -> None:
            told.append("committed")

    world = World(Companionable)
    lane = world.lane()
    running = asyncio.create_task(lane.run())
    await settle()
    await lane.stop()
    await running
    assert told[-2:] == ["committed", "stopping"]
    assert world.counts() == {"last": 1}
