"""A batch that was on its way when its worker died, and reaches the broker only when the partition has a new owner."""

from pathlib import Path

import pytest

from app.streams.names import Names
from tests.faults.detour import INVALID_PRODUCER_EPOCH, NO_ERROR, PRODUCER_FENCED, Detour, detoured
from tests.faults.load import provider
from tests.faults.run import PARTITIONS, Run, seed
from tests.faults.striking import FAILPOINT, STRUCK
from tests.kafka.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.long]

SECONDS = 10.0
COMMITS = 20
"""Before the write that is held up."""
REFUSED = {INVALID_PRODUCER_EPOCH, PRODUCER_FENCED}
INTRUDED = "the journal's next offset was"


async def dies_while_writing(run: Run, detour: Detour) -> None:
    """Start workers, the trigger worker `old` behind the detour; kill it while a batch of its journal is held there."""
    run.workers.start("s1", "sender")
    run.workers.start("old", WHIMBREL_KAFKA=detour.bootstrap)
    run.play(SECONDS)

    async def works() -> bool:
        return run.watch.commits > COMMITS

    await eventually(works, 60)
    detour.hold(run.names.book_journal)
    await detour.caught()
    run.workers.rest("old")
    run.nemesis.note("kill -9", "old")


async def takes_over(run: Run, name: str) -> None:
    """Start a worker; return when all its lanes run."""
    run.workers.start(name)

    async def runs() -> bool:
        return run.workers.logged(name).count("lane runs") >= PARTITIONS

    await eventually(runs, 60)


async def test_after_the_new_owners_fence_the_broker_refuses_it(names: Names, tmp_path: Path) -> None:
    async with (
        detoured() as (broker, detour),
        Run("late writer, after the fence", broker.bootstrap, names, tmp_path, provider(seed())) as run,
    ):
        await dies_while_writing(run, detour)
        await takes_over(run, "new")
        errors = await detour.release()
        run.nemesis.note("late write", f"errors {errors}")
        assert errors, "nothing came late"
        assert set(errors) <= REFUSED
        await run.finish()
        assert INTRUDED not in run.workers.logged("new")


async def test_before_the_new_owners_fence_it_counts_once(names: Names, tmp_path: Path) -> None:
    async with (
        detoured() as (broker, detour),
        Run("late writer, before the fence", broker.bootstrap, names, tmp_path, provider(seed())) as run,
    ):
        await dies_while_writing(run, detour)
        errors = await detour.release()
        run.nemesis.note("late write", f"errors {errors}")
        assert errors, "nothing came late"
        assert set(errors) == {NO_ERROR}
        await takes_over(run, "new")
        await run.finish()


@pytest.mark.parametrize("point", ["open-second-identity", "open-fence-known"])
async def test_between_two_new_owners_the_first_of_which_died_before_its_first_batch(
    names: Names, tmp_path: Path, point: str
) -> None:
    told = tmp_path / "struck"
    async with (
        detoured() as (broker, detour),
        Run(
            f"late writer, new owner killed at {point}",
            broker.bootstrap,
            names,
            tmp_path,
            provider(seed()),
            command=("tests.faults.worker",),
        ) as run,
    ):
        await dies_while_writing(run, detour)
        failpoint = {FAILPOINT: f"{point}:kill:{PARTITIONS}", STRUCK: str(told)}
        run.workers.start("new", "triggers", None, (), **failpoint)
        run.workers["new"].wanted = False

        async def struck() -> bool:
            return told.exists()

        await eventually(struck, 60)
        run.nemesis.note("kill -9", f"new, at {point}")
        errors = await detour.release()
        run.nemesis.note("late write", f"errors {errors}")
        assert errors, "nothing came late"
        assert set(errors) <= {NO_ERROR, *REFUSED}
        await takes_over(run, "third")
        await run.finish()
        assert INTRUDED not in run.workers.logged("third")
