"""A lane killed at every arrow of the commit path."""

import asyncio
import json

import pytest

from app.engine.batch import Bounds
from app.engine.records import COMMIT_KEY, decode_commit
from tests.engine.counting import Counting
from tests.engine.world import START, Crash, World

BOUNDS = Bounds(records=5, rows=1_000, slice=3, works=10)


def a_history() -> World:
    world = World(Counting)
    for number in range(23):
        world.fact("a" if number % 3 else "b", f"k{number % 7}", at=START // 1_000 + number)
        if number in {8, 20}:
            world.tick(at=START // 1_000 + number)
    return world


async def play_with_restarts(world: World, first_kill: int, *, lose_store: bool) -> int:
    """Kill at the given step, and every 7 steps thereafter, until the history is through."""
    kills = 0
    world.points.at = first_kill
    while True:
        try:
            await world.play(world.lane(bounds=BOUNDS))
        except Crash:
            kills += 1
            world.points.at = len(world.points.steps) + 7
            if lose_store:
                world.lose_store()
        else:
            return kills


def steps_of_a_whole_run() -> int:
    world = a_history()
    asyncio.run(world.play(world.lane(bounds=BOUNDS)))
    return len(world.points.steps)


STEPS = steps_of_a_whole_run()


@pytest.mark.parametrize("lose_store", [False, True])
@pytest.mark.parametrize("kill_at", range(1, STEPS + 1))
async def test_killed_anywhere_state_is_applied_once_and_outputs_at_least_once(
    *, kill_at: int, lose_store: bool
) -> None:
    world = a_history()
    assert await play_with_restarts(world, kill_at, lose_store=lose_store) >= 1

    assert world.counts() == world.expected_counts()
    by_id: dict[str, bytes] = {}
    for sent in world.outputs.sent:
        assert by_id.setdefault(sent.id, sent.output.value) == sent.output.value, "one id, two outputs"
    facts = [json.loads(value)["fact"] for value in by_id.values() if b"fact" in value]
    assert sorted(facts) == sorted(f"{t}@{r.offset}" for t in "ab" for r in world.logs[t]), "once each, by id"


@pytest.mark.parametrize("kill_at", range(1, STEPS + 1))
async def test_killed_anywhere_every_tick_reports_every_key_once(kill_at: int) -> None:
    world = a_history()
    await play_with_restarts(world, kill_at, lose_store=False)

    ids = {sent.id: sent.output for sent in world.outputs.sent if sent.output.topic == "ticks-out"}
    reports = [output.value for output in ids.values()]
    assert len(reports) == len(set(reports))
    assert {json.loads(value)["key"] for value in reports} == set(world.counts())


async def test_killed_anywhere_store_index_and_journal_agree() -> None:
    for kill_at in range(1, STEPS + 1):
        world = a_history()
        await play_with_restarts(world, kill_at, lose_store=False)
        rows = dict(world.store.scan(b""))
        derived = sorted((index, key) for key, value in rows.items() for index in Counting().index(key, value))
        assert world.store.due(b"", b"\xff") == derived
        journal = {key: value for key, value in world.journal.records if not key.startswith(b"~")}
        assert journal == rows
        assert world.store.get(COMMIT_KEY) == dict(world.journal.records)[COMMIT_KEY]


async def test_a_restarted_lane_goes_on_at_the_committed_positions() -> None:
    world = a_history()
    await world.play(world.lane())
    committed = decode_commit(world.store.get(COMMIT_KEY) or b"")
    assert committed.positions == {"a": len(world.logs["a"]), "b": len(world.logs["b"]), "ticks": 2}
    lane = world.lane()
    assert lane.positions == committed.positions
    assert lane.commit.cursor == committed.cursor
