"""The sender: notifications of the outbox become rows, rows become SMTP dialogues, dialogues become deliveries.

A row is marked `attempting`, durably, after the relay has accepted sender and recipient and before the message itself
is sent. Whoever finds such a row without knowing the relay's answer reports `unknown_outcome` and never sends again
(ARCHITECTURE.md, sections 5 and 7.4).
"""

from collections.abc import Iterable, Sequence

from app import metrics
from app.contract.instants import parse_instant
from app.delivery import attempts, outcomes, returns
from app.delivery.attempts import Attempt
from app.delivery.outcomes import Verdict
from app.delivery.pump import Ports, Pump
from app.engine.dead_letters import DeadLetters
from app.engine.handler import LaneAccess, View
from app.engine.outbox import Notification, decode_notification
from app.engine.records import ID_HEADER, Cursor, Record, Tick, header
from app.engine.txn import Txn


class Sender:
    """One partition's handler over the topic outbox and the table `attempts`, with a pump beside its lane."""

    def __init__(self, ports: Ports) -> None:
        """Wait for the lane."""
        self._ports = ports
        self._letters = DeadLetters(ports.dead_letters, ports.dead_letters_per_hour)
        self._pump: Pump | None = None

    def index(self, key: bytes, value: bytes) -> Iterable[bytes]:
        """Return a row's index keys."""
        return attempts.index(key, value)

    def records(self, batch: Sequence[Record], txn: Txn, view: View) -> None:
        """Write a waiting row for each notification that is not known yet; dead-letter what is none."""
        for record in batch:
            output_id = header(record, ID_HEADER)
            if output_id is not None and attempts.is_repeat(txn, output_id):
                continue
            try:
                notification = _read(record)
            except ValueError as error:
                self.refuse(record, str(error), txn, view)
            else:
                self._receive(notification, record.value or b"", txn)

    def tick(self, tick: Tick, cursor: Cursor | None, txn: Txn, view: View, limit: int) -> Cursor:
        """Pass over it: the sender's rows are due by its own clock."""
        del cursor, txn, view, limit
        return Cursor(tick.instant, tick.now)

    def refuse(self, record: Record, reason: str, txn: Txn, view: View) -> None:
        """Dead-letter what cannot become a row."""
        del view
        self._letters.park(txn, record, "", reason, self._ports.now())

    def pass_over(self, tick: Tick, cursor: Cursor | None, reason: str, txn: Txn, view: View) -> Cursor:
        """Pass over the whole tick, as ever."""
        del cursor, reason, txn, view
        return Cursor(tick.instant, tick.now)

    async def started(self, lane: LaneAccess) -> None:
        """Begin to deliver what waits; report what an earlier owner left in doubt."""
        self._pump = Pump(lane, self._ports)
        self._pump.begin()

    async def stopping(self) -> None:
        """Stop delivering: messages under way get a few seconds."""
        if self._pump is not None:
            await self._pump.end()

    def committed(self) -> None:
        """Look for rows that have become due."""
        if self._pump is not None:
            self._pump.wake()

    def _receive(self, notification: Notification, value: bytes, txn: Txn) -> None:
        row = self._row(notification, value, txn)
        if row is None:
            return
        if notification.withdrawn:
            verdict = Verdict("withdrawn", "no longer true")
            outcomes.write(txn, self._ports.deliveries, row, notification, verdict, now=self._ports.now())
            metrics.DELIVERIES.labels(verdict.outcome).inc()
        else:
            attempts.write(txn, attempts.row_key(notification.dedup_key), row)

    def _row(self, notification: Notification, value: bytes, txn: Txn) -> Attempt | None:
        """Return the notification's row, new or given back before; None where it is a repeat."""
        known = attempts.read(txn, attempts.row_key(notification.dedup_key))
        now = self._ports.now()
        if known is None:
            return Attempt(attempts.FORMAT, "waiting", now, now, 0, value)
        again = returns.asks_again_at(known, notification, now, self._ports.freshness, self._ports.first_retry)
        return returns.answered(known, notification, value, again)


def _read(record: Record) -> Notification:
    """Return the record's notification; raise ValueError, which quotes nothing secret, where it is none."""
    notification = decode_notification(record.value or b"")
    for instant in (notification.decided_at, notification.checked_at, notification.expires_at):
        if instant is not None:
            parse_instant(instant)
    return notification
