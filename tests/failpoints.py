"""The named points of the commit path (ARCHITECTURE.md, section 5), one between every two of its steps.

One list for the tests in memory, where a point is reached in milliseconds, and for worker processes on a real broker,
where `tests.faults.worker` kills, stops or delays itself there. The product knows nothing of them: tests/seams.py and
tests/faults/seams.py say where each lies.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

Reached = Callable[[str], None]
"""Told that a process is at a point. It may not return: then the process is dead."""


class Point(NamedTuple):
    """A moment at which a process may end, and what it has done by then."""

    name: str
    sentence: str
    in_memory: bool = True
    """False: it lies inside an adapter of Kafka or RocksDB, and there is nothing like it in memory."""


OPENING: Final = (
    Point("open-first-identity", "The broker has given the first identity; the second is not asked for."),
    Point("open-group-asked", "The group's word is here, the second identity not asked for.", in_memory=False),
    Point("open-second-identity", "The broker has given the second identity; nothing is appended with it."),
    Point("open-fence-sent", "The fence is handed to the client; it may reach the broker or not."),
    Point("open-fence-appended", "The fence is in the journal, and this process does not know it."),
    Point("open-fence-known", "The fence is acknowledged; the first identity is not tried yet."),
    Point("open-probe-refused", "The broker has refused the first identity: it fences."),
    Point("open-restore-begun", "Nothing is read of the journal yet."),
    Point("open-restore-amid", "A part of the journal is in the store, with its progress."),
    Point("open-restored", "The store is where the fence is."),
    Point("open-positions-known", "The lane knows where its inputs go on."),
    Point("open-outputs-again", "The last commit's outputs are sent once more and acknowledged."),
)

BATCH: Final = (
    Point("batch-computed", "A batch is computed; nothing of it has left the process."),
    Point("append-sent", "The batch is handed to the journal's client; it may reach the broker or not."),
    Point("append-done", "The batch is in the journal, and this process does not know it."),
    Point("append-known", "The journal has acknowledged the batch; the store is as before."),
    Point("store-written", "The store holds the batch; none of its outputs is sent."),
    Point("outputs-half", "One topic has its outputs, the other has none."),
    Point("outputs-sent", "All outputs are in their topics, and this process does not know it."),
    Point("batch-done", "All outputs are acknowledged; the next batch is not begun."),
)

TIME: Final = (
    Point("tick-made", "A tick of this worker's is in its topic, and nobody has read it.", in_memory=False),
    Point("slice-committed", "A tick is committed in part: the cursor stands inside it."),
    Point("refence-known", "The hourly fence is acknowledged; the store does not know of it."),
)

REVOKE: Final = (
    Point("revoke-lane-ended", "The lane has finished its batch; its database is open."),
    Point("revoke-database-closed", "The database is closed; the journal's writer is not.", in_memory=False),
)

TRIP: Final = (
    Point("trip-told", "The batch that trips a rule is in effect; nobody else knows of it."),
    Point("trip-published", "The trip is in whimbrel.config; the worker does not know it.", in_memory=False),
)

SENDER: Final = (
    Point("row-waiting", "A waiting row is due; nothing is said to the relay."),
    Point("smtp-connected", "The relay has greeted; no address is said."),
    Point("smtp-addressed", "The relay has accepted the recipient; `attempting` is not written."),
    Point("attempting-appended", "`attempting` is in the journal, and this process does not know it."),
    Point("attempting-durable", "`attempting` is acknowledged; DATA is not said."),
    Point("content-asked", "The relay waits for the content; nothing of it has left."),
    Point("content-half", "Half of the content has left."),
    Point("content-sent", "All of the content has left; the reply is not read."),
    Point("reply-read", "The relay has answered; the journal does not know."),
    Point("result-appended", "A last word is in the journal, and this process does not know it."),
    Point("result-journaled", "The result is in journal and store; its delivery is not sent."),
    Point("retry-scheduled", "A refusal for now is committed, with the time of the next attempt."),
    Point("row-returned", "The notification is given back to be checked, and its row waits for the answer."),
)

POINTS: Final = (*OPENING, *BATCH, *TIME, *REVOKE, *TRIP, *SENDER)
NAMES: Final = frozenset(point.name for point in POINTS)


def nothing(name: str) -> None:
    """Be at a point, and go on."""
