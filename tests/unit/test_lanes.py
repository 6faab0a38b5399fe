"""The lanes of a worker, come to an end that does not go well."""

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

    def __init__(self) -> None:
        self.opened = LaneOnAFullDisk()

    async def open(self, _partition: int) -> Any:
        return self.opened


async def test_a_database_that_cannot_be_closed_ends_the_process() -> None:
    failed: list[BaseException] = []
    opening: Any = Opening()
    lanes = Lanes(opening, failed.append)
    lanes.assigned([("facts", 0)])

    async def runs() -> bool:
        return bool(opening.opened.running)

    await eventually(runs)
    await lanes.close()
    assert [str(error) for error in failed] == ["no space left on device"]
