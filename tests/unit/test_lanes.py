"""The lanes of a worker, come to an end that does not go well."""

import asyncio
from typing import Any

from app.errors import WhimbrelError
from app.streams.lanes import Lanes
from tests.kafka.waiting import eventually


class LaneOnAFullDisk:
    """A lane that runs, and whose database cannot be put on disk."""

    def __init__(self) -> None:
        self.lane = self
        self.positions = {"facts": 0}
        self.running = False

    async def run(self) -> None:
        self.running = True

    async def stop(self) -> None:
        """Stops at once."""

    async def close(self) -> None:
        raise WhimbrelError("no space left on device")


class Opening:
    """Opens that one."""

    topics = ("facts",)

    def __init__(self, lane: LaneOnAFullDisk) -> None:
        self.opened = lane

    async def open(self, _partition: int) -> Any:
        return self.opened


class LaneThatCloses(LaneOnAFullDisk):
    """A lane whose database is closed once, and takes its time over it."""

    closed = 0

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.closed += 1


async def running(lane: LaneOnAFullDisk, failed: list[BaseException]) -> Lanes:
    """Return lanes of which one runs."""
    opening: Any = Opening(lane)
    lanes = Lanes(opening, failed.append)
    lanes.assigned([("facts", 0)])

    async def runs() -> bool:
        return lane.running

    await eventually(runs)
    return lanes


async def test_a_database_that_cannot_be_closed_ends_the_process() -> None:
    failed: list[BaseException] = []
    lanes = await running(LaneOnAFullDisk(), failed)
    await lanes.close()
    assert [str(error) for error in failed] == ["no space left on device"]


async def test_a_worker_asked_to_end_while_its_partitions_are_taken_away_closes_each_once() -> None:
    failed: list[BaseException] = []
    lane = LaneThatCloses()
    lanes = await running(lane, failed)
    await asyncio.gather(lanes.close(), lanes.end())
    assert lane.closed == 1
    assert not failed
