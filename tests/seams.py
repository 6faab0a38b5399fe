"""Where the points of tests/failpoints.py lie in code that runs in memory and in workers alike: the lane, the sender.

Each class is the product's own, and says when it comes by. Nothing else is changed.
"""

import asyncio
import os
from collections.abc import Mapping
from typing import Any, ClassVar
from weakref import WeakSet

from aiosmtplib.protocol import SMTPProtocol
from aiosmtplib.response import SMTPResponse

from app.delivery import attempts, smtp
from app.delivery.attempts import Attempt
from app.delivery.message import Envelope
from app.delivery.pump import Pump
from app.delivery.relay import Relay, Result, _Connection
from app.delivery.sender import Sender
from app.engine.batch import Batch, Bounds
from app.engine.lane import Lane
from app.engine.outbox import Notification
from app.engine.records import Commit
from tests.failpoints import Reached, nothing

END_OF_CONTENT = b"\r\n.\r\n"


def attempts_in(changes: Mapping[bytes, bytes | None]) -> list[Attempt]:
    """Return the sender's rows that a journal batch writes."""
    rows = (value for key, value in changes.items() if key.startswith(attempts._PREFIX) and value is not None)
    return [attempts._decoded(row) for row in rows]


def writes_attempting(changes: Mapping[bytes, bytes | None]) -> bool:
    """Tell whether a journal batch marks a row as `attempting`."""
    return any(row.state == "attempting" for row in attempts_in(changes))


def writes_done(changes: Mapping[bytes, bytes | None]) -> bool:
    """Tell whether a journal batch marks a row as done."""
    return any(row.state == "done" for row in attempts_in(changes))


class Seamed:
    """Tells `reached` of the points it comes by: the class's for a whole process, an instance's for one of several."""

    reached: Reached = staticmethod(nothing)


class SeamedLane(Seamed, Lane):
    """The lane's own steps; those of its ports are the adapters'."""

    slices: Bounds | None = None
    """Slices and batches so small that ticks come to stand inside them."""
    _sent_again = False

    def __init__(self, *arguments: Any, bounds: Bounds | None = None, **named: Any) -> None:
        super().__init__(*arguments, bounds=self.slices or bounds, **named)

    async def _write(self, batch: Batch) -> None:
        self.reached("batch-computed")
        await super()._write(batch)
        self.reached("batch-done")
        if batch.cursor is not None and batch.cursor.after is not None:
            self.reached("slice-committed")
        rows = attempts_in(batch.txn.changes)
        if any(row.state == "returned" for row in rows):
            self.reached("row-returned")
        if any(row.state == "waiting" and row.attempts for row in rows):
            self.reached("retry-scheduled")

    def _expect(self, first: int, last: int | None = None) -> None:
        self.reached("refence-known" if last is None else "append-known")
        super()._expect(first, last)

    def _keep(self, batch: Batch, commit: Commit) -> None:
        self.reached("store-written")
        handler = self._handler
        if isinstance(handler, Sender) and any(each.topic == handler._ports.deliveries for each in commit.outputs):
            self.reached("result-journaled")
        super()._keep(batch, commit)

    async def _send(self, commit: Commit) -> None:
        await super()._send(commit)
        if not self._sent_again:
            self._sent_again = True
            self.reached("open-outputs-again")


class SeamedPump(Seamed, Pump):
    """What the sender does with one row."""

    async def _attend(self, key: bytes) -> None:
        self.reached("row-waiting")
        await super()._attend(key)

    async def _attempting(self, key: bytes, attempt: Attempt, notification: Notification) -> bool:
        ours = await super()._attempting(key, attempt, notification)
        if ours:
            self.reached("attempting-durable")
        return ours

    async def _conclude(self, key: bytes, result: Result) -> None:
        if isinstance(result, smtp.Accepted | smtp.Rejected):
            self.reached("reply-read")
        await super()._conclude(key, result)


class SeamedRelay(Seamed, Relay):
    """The relay's side of a dialogue, up to the recipient."""

    async def _connect(self) -> _Connection:
        connection = await super()._connect()
        self.reached("smtp-connected")
        return connection

    async def _addressed(self, envelope: Envelope) -> _Connection | smtp.Deferred | smtp.Rejected:
        addressed = await super()._addressed(envelope)
        if isinstance(addressed, _Connection):
            self.reached("smtp-addressed")
        return addressed


class SeamedProtocol(Seamed, SMTPProtocol):
    """The content on its way: what has left is on the wire, not in a buffer that dies with the process."""

    _delivering: ClassVar[WeakSet[SMTPProtocol]] = WeakSet()

    def write(self, data: bytes) -> None:
        transport: Any = self.transport
        if data.endswith(END_OF_CONTENT) and transport is not None:
            self.reached("content-asked")
            left = os.write(transport.get_extra_info("socket").fileno(), data[: len(data) // 2])
            self.reached("content-half")
            data = data[left:]
            self._delivering.add(self)
        super().write(data)

    async def read_response(self, timeout: float | None = None) -> SMTPResponse:  # noqa: ASYNC109 - as it is there
        if self in self._delivering:
            self._delivering.discard(self)
            transport: Any = self.transport
            while transport is not None and transport.get_write_buffer_size():  # noqa: ASYNC110 - nobody is told
                await asyncio.sleep(0)
            self.reached("content-sent")
        return await super().read_response(timeout)
