"""A lane killed, and one that stands still while another takes over, at every point of the commit path."""

import pytest

from app.contract.instants import SECOND
from app.engine import lane as engine
from app.engine.batch import Bounds
from tests.builders import a_rule, at
from tests.engine.counting import Counting
from tests.engine.guarded import NINE, PAST, SLICES, accounts, an_office, outcomes
from tests.engine.test_crash import BOUNDS, a_history
from tests.engine.verdict import wrongs
from tests.engine.world import START, Crash, ExpelledError, FencedError, World
from tests.failpoints import BATCH, OPENING, REVOKE, TIME, TRIP

POINTS = [point.name for point in (*OPENING, *BATCH, *TIME, *REVOKE) if point.in_memory]
TIMES = (1, 2)


@pytest.fixture(autouse=True)
def _frequent_fences(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fence in every round of the lane's, where that is the point."""
    if "refence-known" in request.node.name:
        monkeypatch.setattr(engine, "REFENCE_SECONDS", -1.0)


def more_facts(world: World) -> None:
    """What comes after whoever stood still has gone on."""
    for number in range(5):
        world.fact("a", f"k{number}", at=START // 1_000 + 100 + number)
    world.tick(at=START // 1_000 + 110)


@pytest.mark.parametrize("lose_store", [False, True])
@pytest.mark.parametrize("point", POINTS)
async def test_killed_there_again_and_again_nothing_is_lost_or_done_twice(point: str, *, lose_store: bool) -> None:
    world = a_history()
    world.points.name, world.points.at = point, 1
    kills = 0
    while True:
        try:
            await world.play(world.lane(bounds=BOUNDS))
        except Crash:
            kills += 1
            world.points.at = world.points.steps.count(point) + 2
            if lose_store:
                world.lose_store()
        else:
            break
    assert kills
    assert wrongs(world) == []


@pytest.mark.parametrize("nth", TIMES)
@pytest.mark.parametrize("point", POINTS)
async def test_standing_still_there_while_another_takes_over_it_writes_nothing_more(point: str, nth: int) -> None:
    world = a_history()
    await struck(world, point, 1 if point in ONCE else nth)
    more_facts(world)
    await world.play(world.lane(bounds=BOUNDS))
    assert wrongs(world) == []


ONCE = {point for point in POINTS if point.startswith(("open-", "revoke-"))}


async def struck(world: World, point: str, nth: int) -> None:
    """Play, with the process standing still at the point while another plays all there is; then it goes on."""
    other = world.successor()
    after: list[int] = []

    async def take_over() -> None:
        await other.play(other.lane(bounds=BOUNDS))
        after.append(len(other.journal.records))

    world.points.name, world.points.at, world.points.then = point, nth, world.while_stopped(take_over)
    try:
        await world.play(world.lane(bounds=BOUNDS))
    except (FencedError, ExpelledError):
        assert len(world.journal.records) == after[0], "who stood still has written on"
    finally:
        assert after, "the point was never reached"
        world.points.at = None


async def test_every_point_that_exists_in_memory_is_come_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "REFENCE_SECONDS", -1.0)
    world = World(Counting)
    for number in range(9):
        world.fact("a", f"k{number}")
    world.tick()
    await world.play(world.lane(bounds=Bounds(records=5, rows=6, slice=2)))
    await world.play(world.successor().lane())
    assert set(world.points.steps) == set(POINTS)


def test_killed_before_anybody_is_told_of_a_trip_the_next_owner_tells() -> None:
    (point,) = (point.name for point in TRIP if point.in_memory)
    office = an_office(a_rule(PAST, x=1), bounds=SLICES)
    office.points.name, office.points.at = point, 1
    office.tell(*accounts(21))
    office.run_until(at("2026-06-11 08:59"))
    office.come_to(NINE + SECOND)
    with pytest.raises(Crash):
        office.run_and_kill(lambda _: False)
    assert office.told == []
    office.run()
    assert len(office.told) == 1
    assert outcomes(office) == {"held(guard)": 21}
    assert office.outbox() == []
