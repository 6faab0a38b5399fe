"""A lane killed at every arrow of the commit path."""

import asyncio

import pytest

from app.engine.batch import Bounds
from app.engine.records import COMMIT_KEY, decode_commit
from tests.engine.counting import Counting
from tests.engine.verdict import wrongs
from tests.engine.world import START, Crash, World

BOUNDS = Bounds(records=5, rows=1_000, slice=3, works=10)
AGAIN = 25
"""More steps than it takes to come to a lane's first batch."""


def a_history() -> World:
    world = World(Counting)
    for number in range(23):
        world.fact("a" if number % 3 else "b", f"k{number % 7}", at=START // 1_000 + number)
        if number in {8, 20}:
            world.tick(at=START // 1_000 + number)
    return world


async def play_with_restarts(world: World, first_kill: int, *, lose_store: bool) -> int:
    """Kill at the given step, and every so many steps thereafter, until the history is through."""
    kills = 0
    world.points.at = first_kill
    while True:
        try:
            await world.play(world.lane(bounds=BOUNDS))
        except Crash:
            kills += 1
            world.points.at = len(world.points.steps) + AGAIN
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
    assert wrongs(world) == []
    reported = {sent.output.key for sent in world.outputs.sent if sent.output.topic == Counting.ticks_out}
    assert reported == {key.encode() for key in world.counts()}, "every tick reports every key"


async def test_a_restarted_lane_goes_on_at_the_committed_positions() -> None:
    world = a_history()
    await world.play(world.lane())
    committed = decode_commit(world.store.get(COMMIT_KEY) or b"")
    assert committed.positions == {"a": len(world.logs["a"]), "b": len(world.logs["b"]), "ticks": 2}
    lane = world.lane()
    assert lane.positions == committed.positions
    assert lane.commit.cursor == committed.cursor
