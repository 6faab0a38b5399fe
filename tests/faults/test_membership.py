"""Workers that join and leave amid a load: one after the other, in turn, all at once."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from app.dev.kafka import DevKafka
from app.streams.names import Names
from tests.faults.load import provider
from tests.faults.nemesis import kill
from tests.faults.run import PARTITIONS, STORM, Run, seed
from tests.kafka.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.long]

SECONDS = 18.0


@pytest.mark.parametrize("static", [True, False], ids=["static members", "dynamic members"])
async def test_one_worker_becomes_four_then_two_then_three(
    kafka: DevKafka, names: Names, tmp_path: Path, *, static: bool
) -> None:
    members = "static" if static else "dynamic"
    async with Run(
        f"1 to 4 to 2 to 3 workers, {members} members",
        kafka.bootstrap,
        names,
        tmp_path,
        provider(seed()),
        static=static,
    ) as run:
        first, *parts = run.load.parts(0.25, 0.5, 0.75)
        run.begin(triggers=1, senders=1)
        await run.play(SECONDS / 2, first)
        for wanted, part in zip((4, 2, 3), parts, strict=True):
            playing = run.play(SECONDS / 2, part)
            for app, letter in (("triggers", "t"), ("sender", "s")):
                await become(run, app, letter, wanted)
            await run.all_lanes_run()
            if wanted == PARTITIONS:  # where they are fewer, whoever has two partitions keeps them
                await eventually(partial(all_take_part, run))
            await playing
        await run.finish()


async def all_take_part(run: Run) -> bool:
    """Tell whether every worker runs a lane."""
    return all(map(run.workers.lanes, run.workers.names()))


async def become(run: Run, app: str, letter: str, wanted: int) -> None:
    """Have so many workers of an app."""
    names = [f"{letter}{number}" for number in range(1, 5)]
    for name in names[:wanted]:
        if name not in run.workers.names(app):
            run.workers.start(name, app)
            run.nemesis.note("join", name)
    for name in names[wanted:]:
        await run.workers.leave(name)
        run.nemesis.note("leave", name)


async def test_one_after_the_other_is_restarted(kafka: DevKafka, names: Names, tmp_path: Path) -> None:
    async with Run("rolling restart", kafka.bootstrap, names, tmp_path, provider(seed())) as run:
        run.begin(triggers=3, senders=2)
        playing = run.play(SECONDS)
        while not playing.done():
            for name in run.workers.names():
                await asyncio.wait([playing], timeout=0.5)
                await run.workers.leave(name)
                run.workers.start(name, run.workers[name].app)
                run.nemesis.note("restart", name)
                await eventually(partial(asyncio.to_thread, run.workers.ready, name))
        await playing
        await run.finish()


async def test_all_start_at_once_on_a_log_that_has_grown(kafka: DevKafka, names: Names, tmp_path: Path) -> None:
    async with Run("cold start of all", kafka.bootstrap, names, tmp_path, provider(seed()), stall=STORM) as run:
        first, second, third = run.load.parts(0.3, 0.8)
        run.begin(triggers=4, senders=2)
        await run.all_lanes_run()
        await run.nemesis.storm({"kill": kill(run.workers)}, until=run.play(SECONDS / 5, first))
        assert not run.nemesis.missed("kill")
        for name in run.workers.names():
            run.workers.rest(name)
            run.nemesis.note("kill", name)
        await run.play(0, second)
        run.begin(triggers=4, senders=2)
        await run.play(SECONDS / 5, third)
        await run.finish()
