"""The lanes of a worker, come to an end that does not go well."""

import asyncio
import math
from contextlib import nullcontext
from typing import Any

import pytest
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState

from app.errors import WhimbrelError
from app.streams import lanes as module
from app.streams.journal import Confirm
from app.streams.lanes import OPENED_AT_ONCE, AssignmentError, Lanes
from tests.kafka.waiting import eventually
from tests.switched import both


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


async def unasked() -> float:
    """Ask no group."""
    return math.inf


class Opening:
    """Opens that one."""

    topics = ("facts",)

    def __init__(self, lane: LaneOnAFullDisk) -> None:
        self.opened = lane

    async def open(self, _partition: int, _confirm: Confirm) -> Any:
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
    lanes.assigned([("facts", 0)], unasked)

    async def runs() -> bool:
        return lane.running

    await eventually(runs)
    return lanes


class UncaughtError(Exception):
    """Is never raised: whoever waits for it catches nothing."""


class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Closes lanes as their partitions go."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes

    async def on_partitions_revoked(self, revoked: Any) -> None:
        await self._lanes.close()

    async def on_partitions_assigned(self, assigned: Any) -> None: ...


async def taken_away(lanes: Lanes) -> None:
    """Have the group's client take the partitions away."""
    client: Any = GroupCoordinator.__new__(GroupCoordinator)
    client._subscription, client.group_id = SubscriptionState(), "triggers"
    client._subscription.subscribe({"facts"}, listener=Listener(lanes))
    await client._on_join_prepare(None)


@both
async def test_a_database_that_cannot_be_closed_ends_the_process(monkeypatch: pytest.MonkeyPatch, *, on: bool) -> None:
    failed: list[BaseException] = []
    lanes = await running(LaneOnAFullDisk(), failed)
    if not on:
        monkeypatch.setattr(module, "Exception", UncaughtError, raising=False)
    await taken_away(lanes)
    said = [str(error) for error in failed]
    assert said == (["no space left on device"] if on else []), "off, aiokafka logs it, and the worker goes on"


@both
async def test_a_worker_asked_to_end_while_its_partitions_are_taken_away_closes_each_once(*, on: bool) -> None:
    failed: list[BaseException] = []
    lane = LaneThatCloses()
    lanes: Any = await running(lane, failed)
    if not on:
        lanes._closing = nullcontext()
    await asyncio.gather(lanes.close(), lanes.end())
    assert lane.closed == (1 if on else 2)
    assert [type(error) for error in failed] == ([] if on else [KeyError]), "off, it ends with a traceback"


@pytest.mark.parametrize(
    ("topics", "said"),
    [
        (["another"], "partition 0 was assigned without facts: the topic is gone, or has fewer partitions"),
        (["facts", "another"], "partition 0 was assigned with another, which this worker does not read"),
    ],
)
def test_a_partition_that_is_assigned_with_other_topics_than_its_own_ends_the_worker_which_names_them(
    topics: list[str], said: str
) -> None:
    opening: Any = Opening(LaneOnAFullDisk())
    failed: list[BaseException] = []
    Lanes(opening, failed.append).assigned(((topic, 0) for topic in topics), unasked)
    (error,) = failed
    assert isinstance(error, AssignmentError)
    assert str(error).startswith(said)


class SlowOpening:
    """Opens nothing, and counts who tries at once."""

    topics = ("facts",)

    def __init__(self) -> None:
        self.opening = self.most = 0

    async def open(self, _partition: int, _confirm: Confirm) -> Any:
        self.opening += 1
        self.most = max(self.most, self.opening)
        try:
            await asyncio.Event().wait()
        finally:
            self.opening -= 1


async def test_many_lanes_are_opened_a_few_at_a_time_and_let_go_at_once() -> None:
    failed: list[BaseException] = []
    opening: Any = SlowOpening()
    lanes = Lanes(opening, failed.append)
    lanes.assigned([("facts", partition) for partition in range(64)], unasked)

    async def full() -> bool:
        return bool(opening.opening == OPENED_AT_ONCE)

    await eventually(full)
    await lanes.close()
    assert (opening.most, opening.opening, failed) == (OPENED_AT_ONCE, 0, [])
