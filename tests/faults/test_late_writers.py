"""A batch that was on its way when its worker died, and reaches the broker only when the partition has a new owner."""

import struct
from collections import Counter
from pathlib import Path

import pytest

from app.streams import client
from app.streams.journal import FENCE_KEY
from app.streams.names import Names
from tests.faults.cluster import END_SECONDS, KILLED
from tests.faults.detour import (
    INVALID_PRODUCER_EPOCH,
    NO_ERROR,
    PRODUCER_FENCED,
    Detour,
    correlation,
    detoured,
    is_produce,
)
from tests.faults.load import provider
from tests.faults.run import PARTITIONS, Run, seed
from tests.faults.striking import FAILPOINT, STRUCK
from tests.kafka.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.long]

SECONDS = 10.0
COMMITS = 20
"""Before the write that is held up."""
REFUSED = {INVALID_PRODUCER_EPOCH, PRODUCER_FENCED}
OLD, NEW = 1, 2
"""Fences in a partition's journal: its first owner's, and its second's behind it."""


async def dies_while_writing(run: Run, detour: Detour, app: str = "triggers") -> None:
    """Start workers, `old` of the app behind the detour; kill it while each lane's batch is held there."""
    run.workers.start("beside", "sender" if app == "triggers" else "triggers")
    run.workers.start("old", app, WHIMBREL_KAFKA=detour.bootstrap)
    run.play(SECONDS)
    journal = run.names.book_journal if app == "triggers" else run.names.attempts_journal

    async def works() -> bool:
        return sum(run.watch.committed(journal).values()) > COMMITS

    await eventually(works, 60)
    detour.hold(journal)
    await detour.caught(PARTITIONS)
    run.workers.rest("old")
    run.nemesis.note("kill -9", "old")


async def written_late(run: Run, detour: Detour) -> dict[int, int]:
    """Release what is held; return the broker's answers by partition."""
    lines = [line for line in detour._lines if line.held]
    places = [{correlation(frame): partition_of(frame) for frame in line.held if is_produce(frame)} for line in lines]
    assert len(await detour.release()) == sum(map(len, places))
    errors = {
        partition: line.errors[number]
        for line, here in zip(lines, places, strict=True)
        for number, partition in here.items()
    }
    assert len(errors) == sum(map(len, places)), "an owner had two batches of a partition in flight"
    assert len(errors) == PARTITIONS, "not every partition had a late batch"
    said = ", ".join(f"partition {partition}: error {error}" for partition, error in sorted(errors.items()))
    run.nemesis.note("late write", said)
    return errors


def partition_of(frame: bytes) -> int:
    """Return the first partition that a Produce request names (versions 3 to 8)."""
    at = 4 + 2 + 2 + 4  # size, API, version, correlation id
    for _ in ("client id", "transactional id"):
        at += 2 + max(struct.unpack_from(">h", frame, at)[0], 0)
    at += 2 + 4 + 4  # acks, timeout, number of topics
    at += 2 + struct.unpack_from(">h", frame, at)[0] + 4  # the topic, number of partitions
    partition: int = struct.unpack_from(">i", frame, at)[0]
    return partition


async def fences(run: Run) -> Counter[int]:
    """Return how many fences each partition of the triggers' journal holds."""
    journal = await client.read(run.bootstrap, run.names.book_journal)
    return Counter(record.partition for record in journal if record.key == FENCE_KEY)


async def takes_over(run: Run, name: str, app: str = "triggers") -> None:
    """Start a worker; return when all its lanes run: it is alone."""
    run.workers.start(name, app)
    await run.all_lanes_run(app)


@pytest.mark.parametrize("app", ["triggers", "sender"])
async def test_after_the_new_owners_fence_the_broker_refuses_it(names: Names, tmp_path: Path, app: str) -> None:
    """Taken then, it would set rows back: a sender's to `attempting`, of which the new owner has had the last word."""
    async with (
        detoured() as (broker, detour),
        Run(f"late writer, after the fence, {app}", broker.bootstrap, names, tmp_path, provider(seed())) as run,
    ):
        await dies_while_writing(run, detour, app)
        await takes_over(run, "new", app)
        errors = await written_late(run, detour)
        assert set(errors.values()) <= REFUSED
        await run.finish()


@pytest.mark.parametrize("app", ["triggers", "sender"])
async def test_before_the_new_owners_fence_it_counts_once(names: Names, tmp_path: Path, app: str) -> None:
    async with (
        detoured() as (broker, detour),
        Run(f"late writer, before the fence, {app}", broker.bootstrap, names, tmp_path, provider(seed())) as run,
    ):
        await dies_while_writing(run, detour, app)
        errors = await written_late(run, detour)
        assert set(errors.values()) == {NO_ERROR}
        await takes_over(run, "new", app)
        await run.finish()


@pytest.mark.parametrize(("point", "nth"), [("open-second-identity", 1), ("open-fence-known", PARTITIONS)])
async def test_between_two_new_owners_the_first_of_which_died_before_its_first_batch(
    names: Names, tmp_path: Path, point: str, nth: int
) -> None:
    """With the second identity in hand it has fenced nothing yet: what is late counts. Once its fences are known, not.

    In the first case it dies over the first partition that it opens, in the other over the last.
    """
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
        failpoint = {FAILPOINT: f"{point}:kill:{nth}", STRUCK: str(told)}
        run.workers.start("new", "triggers", None, (), **failpoint)
        run.workers["new"].wanted = False

        async def struck() -> bool:
            return told.exists()

        await eventually(struck, 60)
        run.nemesis.note("kill -9", f"new, at {point}")
        assert run.workers["new"].process.wait(END_SECONDS) == KILLED
        fenced = await fences(run)
        assert set(fenced.values()) == {NEW if point == "open-fence-known" else OLD}
        errors = await written_late(run, detour)
        assert await fences(run) == fenced, "the dead owner's fence came after it was looked for"
        assert set(errors.values()) <= (REFUSED if point == "open-fence-known" else {NO_ERROR}), errors
        await takes_over(run, "third")
        await run.finish()
