"""What counts as a stall, and as something to be done. No Kafka needed."""

import time

import msgspec
import pytest
from aiokafka import TopicPartition

from app import clock
from app.contract.instants import SECOND
from app.delivery.attempts import Attempt, State
from app.engine.records import Commit, Output
from app.streams.names import Names
from tests.faults.watch import Lane, Watch

NAMES = Names("t.")
SECONDS = 5.0


@pytest.fixture
def watch() -> Watch:
    watch = Watch("nowhere", NAMES)
    watch._behind = False
    return watch


def lane(watch: Watch, **commit: object) -> Lane:
    """Return the lane of a partition, which has made no progress for a while."""
    found = watch._lanes[NAMES.book_journal, 0]
    found.commit = Commit(incarnation="i", offset=3, **{"positions": {}, **commit})  # type: ignore[arg-type]
    found.progressed = time.monotonic() - SECONDS
    return found


def test_a_lane_with_nothing_to_do_does_not_stand_still(watch: Watch) -> None:
    lane(watch)
    watch._measure()
    assert watch.longest_stall < 1
    assert not watch.undone()


def test_outputs_that_nobody_sends_are_a_stall(watch: Watch) -> None:
    lane(watch, outputs=[Output(NAMES.outbox, b"key", b"value")])
    watch._measure()
    assert watch.longest_stall >= SECONDS
    assert watch.undone()
    watch._sent[NAMES.outbox, 0, "i"] = 3, 0
    assert not watch.undone()


@pytest.mark.parametrize("state", ["waiting", "attempting", "returned"])
def test_a_mail_keeps_its_lane_busy_once_it_is_due(watch: Watch, state: State) -> None:
    for seconds, stalls in ((60, False), (-1, True)):
        attempt = Attempt(1, state, clock.now() + seconds * SECOND, 0, 1, b"")
        lane(watch).working_on(b"attempt/a", msgspec.msgpack.encode(attempt))
        watch._measure()
        assert (watch.longest_stall >= SECONDS) is stalls
        assert watch.undone()


@pytest.mark.parametrize("topic", [NAMES.billing, NAMES.ticks, NAMES.returns])
def test_what_nobody_reads_is_a_stall(watch: Watch, topic: str) -> None:
    lane(watch, positions={topic: 6})
    watch._ends[TopicPartition(topic, 0)] = 7
    watch._measure()
    assert watch.longest_stall >= SECONDS
    assert watch.undone() == [f"{topic}[0]: 1 records unread"]
