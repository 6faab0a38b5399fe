"""What a lane does with its input and its ticks."""

import asyncio
import json

import pytest

from app.contract.instants import MINUTE, SECOND, format_instant
from app.engine.batch import Bounds
from app.engine.inputs import Fetch
from app.engine.lane import OUTPUT_BYTES, Lane
from app.engine.records import COMMIT_KEY, Cursor, PlainRecord, decode_commit
from tests.engine.counting import Counting
from tests.engine.world import START, TICKS, World, settle, until

MS = START // 1_000


async def test_topics_are_merged_by_record_time() -> None:
    world = World(Counting)
    for number in (1, 4, 5):
        world.fact("a", "k", at=MS - 100 + number)
    for number in (2, 3, 6):
        world.fact("b", "k", at=MS - 100 + number)
    await world.play(world.lane())
    assert world.facts_in_order() == ["a@0", "b@0", "b@1", "a@1", "a@2", "b@2"]


async def test_a_record_is_never_merged_before_its_predecessor_nor_as_of_the_future() -> None:
    world = World(Counting)
    world.fact("a", "k", at=MS + 1_000_000)  # a clock gone wrong
    world.fact("a", "k", at=MS - 900)
    world.fact("b", "k", at=MS - 500)
    world.now += SECOND
    world.fact("b", "k", at=MS + 999)
    await world.play(world.lane())
    assert world.facts_in_order() == ["b@0", "b@1", "a@0", "a@1"]


async def test_a_topic_whose_end_is_not_known_holds_the_others_back() -> None:
    world = World(Counting)
    world.fact("a", "k")
    lane = world.lane()
    running = asyncio.create_task(lane.run())
    lane.feed(Fetch("a", 0, 1, world.logs["a"], 1, START / SECOND))
    await settle()
    assert world.facts_in_order() == []
    lane.feed(Fetch("b", 0, 0, [], 0, START / SECOND - 0.6))
    await settle()
    assert world.facts_in_order() == [], "an answer 600 ms old says nothing"
    lane.feed(Fetch("b", 0, 0, [], 0, START / SECOND))
    await settle()
    assert world.facts_in_order() == ["a@0"]
    await lane.stop()
    await running


async def test_a_fetch_that_leaves_a_gap_is_dropped_and_read_again() -> None:
    world = World(Counting)
    for _ in range(4):
        world.fact("a", "k")
    lane = world.lane()
    assert lane.feed(Fetch("a", 0, 2, world.logs["a"][:2], 4, 0)) is None
    assert lane.feed(Fetch("a", 3, 4, world.logs["a"][3:], 4, 0)) == 2
    assert lane.feed(Fetch("a", 2, 4, world.logs["a"][2:], 4, 0)) is None


async def test_markers_and_aborted_records_move_the_position_without_a_record() -> None:
    world = World(Counting)
    record = PlainRecord("a", 0, 3, MS, b"k", b"")
    lane = world.lane()
    running = asyncio.create_task(lane.run())
    at = START / SECOND
    assert lane.feed(Fetch("a", 0, 3, [], 9, at)) is None
    assert lane.feed(Fetch("a", 3, 9, [record], 9, at)) is None
    lane.feed(Fetch("b", 0, 0, [], 0, at))
    await settle()
    assert world.facts_in_order() == ["a@3"]
    assert lane.positions["a"] == 9
    await lane.stop()
    await running


async def test_a_tick_that_waits_for_what_was_aborted_goes_on_once_that_is_passed() -> None:
    world = World(Counting)
    world.tick(ends={"a": 3})
    lane = world.lane()
    running = asyncio.create_task(lane.run())
    for topic in ("ticks", "b"):
        world.fetch(lane, topic)
    await settle()
    assert cursor(lane) is None
    lane.feed(Fetch("a", 0, 3, [], 3, START / SECOND))
    await settle()
    assert cursor(lane) is not None
    await lane.stop()
    await running


async def test_of_the_ticks_reached_only_the_newest_is_processed() -> None:
    world = World(Counting)
    world.fact("a", "k")
    for second in (1, 2, 3):
        world.tick(at=MS + second * 1_000)
    world.tick(at=MS + 4_000, ends={"a": 5})
    world.now += 4 * SECOND
    lane = world.lane()
    running = asyncio.create_task(lane.run())
    for topic in ("ticks", "a", "b"):
        world.fetch(lane, topic)
    await settle()
    assert lane.commit.cursor is not None
    assert lane.commit.cursor.instant == START + 3 * SECOND
    assert [json.loads(value)["tick"] for value in world.sent("ticks-out")] == [START + 3 * SECOND]
    assert lane.positions["ticks"] == 3, "the fourth waits for its input"
    await lane.stop()
    await running


async def test_a_tick_overtaken_by_a_quarter_of_an_hour_is_passed_over() -> None:
    world = World(Counting)
    world.fact("a", "k")
    world.tick()
    world.now += 16 * MINUTE
    world.tick()
    await world.play(world.lane())
    assert [json.loads(value)["tick"] for value in world.sent("ticks-out")] == [world.now]


async def test_between_the_slices_of_a_tick_facts_come_through() -> None:
    world = World(Counting)
    for number in range(6):
        world.fact("a", f"k{number}")
    world.tick()
    lane = world.lane(bounds=Bounds(records=6, rows=6, slice=2, works=1))
    running = asyncio.create_task(lane.run())
    for topic in ("a", "b", "ticks"):
        world.fetch(lane, topic)
    await until(lambda: lane.commit.cursor)
    assert standing(lane) == "k1"
    world.fact("b", "late")
    world.fetch(lane, "b")
    world.fetch(lane, "a")
    await until(lambda: standing(lane) is None)
    topics = [s.output.topic for s in world.outputs.sent]
    assert topics.index("ticks-out") < len(topics) - 1 - topics[::-1].index("out")
    await lane.stop()
    await running


def a_played_history() -> World:
    world = World(Counting)
    day = [("a", 1), ("b", 2), ("b", 3), ("a", 4), None, ("b", 6), ("a", 7), None, None, ("a", 10), ("b", 11)]
    for line, entry in enumerate(day, start=1):
        if entry is None:
            world.tick(now=format_instant(START + line * MINUTE))
        else:
            world.fact(entry[0], "k", line=line)
    return world


@pytest.mark.parametrize("size", [1, 2, 7])
@pytest.mark.parametrize("records", [1, 3, 100])
async def test_a_played_history_is_processed_by_line_and_every_tick_in_its_place(size: int, records: int) -> None:
    world = a_played_history()
    world.tick(now=format_instant(START + 12 * MINUTE))
    lane = world.lane(external=True, bounds=Bounds(records=records, rows=1_000, slice=5, works=1))
    await world.play(lane, size=size)
    assert world.facts_in_order() == ["a@0", "b@0", "b@1", "a@1", "b@2", "a@2", "a@3", "b@3"]
    ticks = [json.loads(value)["tick"] for value in world.sent("ticks-out")]
    assert ticks == [START + line * MINUTE for line in (5, 8, 9, 12)]
    order = [s.output.topic for s in world.outputs.sent]
    assert order == ["out"] * 4 + ["ticks-out"] + ["out"] * 2 + ["ticks-out"] * 2 + ["out"] * 2 + ["ticks-out"]


async def test_many_ticks_at_hand_are_committed_in_batches_with_a_turn_for_others_between_them() -> None:
    world = World(Counting)
    for number in range(120):
        world.tick(now=format_instant(START + number * MINUTE))
    lane = world.lane(external=True, bounds=Bounds(ticks=50))
    while world.fetch(lane, TICKS, 50):
        pass
    turns: list[int] = []
    running = asyncio.create_task(lane.run())
    while lane.positions[TICKS] < 120:
        turns.append(lane.positions[TICKS])
        await asyncio.sleep(0)
    assert {50, 100} <= set(turns) <= {0, 50, 100}
    await lane.stop()
    await running


async def test_in_a_played_history_facts_wait_for_the_tick_after_them() -> None:
    world = a_played_history()
    lane = world.lane(external=True)
    running = asyncio.create_task(lane.run())
    for _ in range(3):
        for topic in ("a", "b", "ticks"):
            world.fetch(lane, topic)
        await settle()
    assert lane.positions == {"a": 3, "b": 3, "ticks": 3}
    await lane.stop()
    await running


async def test_the_view_says_now_and_live_since() -> None:
    handler = Counting()
    world = World(lambda: handler)
    world.fact("a", "k", line=1)
    record = world.logs["a"][0]
    since = ("whimbrel-from", format_instant(START - MINUTE).encode())
    world.logs["a"][0] = PlainRecord("a", 0, 0, MS, record.key, b"", (*record.headers, since))
    world.tick(now=format_instant(START + MINUTE))
    await world.play(world.lane(external=True))
    assert {view.live_since for view in handler.views} == {START - MINUTE}
    assert decode_commit(world.store.get(COMMIT_KEY) or b"").live_since == START - MINUTE


async def test_a_batch_too_large_is_computed_again_with_fewer_records() -> None:
    world = World(Counting, capacity=900)
    for number in range(40):
        world.fact("a", f"k{number % 4}")
    await world.play(world.lane(bounds=Bounds(records=32)))
    assert world.counts() == world.expected_counts()
    assert len(world.facts_in_order()) == 40


async def test_a_fact_whose_outcome_is_too_large_is_dead_lettered_and_changes_nothing() -> None:
    world = World(Counting, capacity=600)
    world.fact("a", "k")
    world.fact("a", "huge", b"x" * 1_000)
    world.fact("a", "k")
    await world.play(world.lane())
    assert world.counts() == {"k": 2}
    assert world.sent("dead") == ["a@1"]
    assert len(world.facts_in_order()) == 2


async def test_an_output_larger_than_its_topic_takes_counts_as_too_large() -> None:
    world = World(Counting)
    world.fact("a", "huge", b"x" * OUTPUT_BYTES)
    world.fact("a", "k")
    await world.play(world.lane())
    assert world.counts() == {"k": 1}
    assert world.sent("dead") == ["a@0"]


async def test_nothing_is_decided_while_the_gate_is_shut() -> None:
    world = World(Counting)
    world.gate = False
    world.fact("a", "k")
    lane = world.lane()
    running = asyncio.create_task(lane.run())
    for topic in ("a", "b"):
        world.fetch(lane, topic)
    await settle()
    assert world.facts_in_order() == []
    world.gate = True
    lane.wake()
    await settle()
    assert world.facts_in_order() == ["a@0"]
    await lane.stop()
    await running


def standing(lane: Lane) -> str | None:
    """Return the key at which the lane stands inside a tick."""
    return lane.commit.cursor.after if lane.commit.cursor else None


def cursor(lane: Lane) -> Cursor | None:
    return lane.commit.cursor
