"""What becomes of a notification: the record of whimbrel.deliveries, and the end of its row."""

from typing import NamedTuple

from msgspec.structs import replace

from app.contract.instants import Instant, format_instant
from app.delivery import attempts
from app.delivery.attempts import Attempt
from app.delivery.message import message_id
from app.engine.outbox import Delivery, DeliveryOutcome, Notification, encode
from app.engine.txn import Txn


class Verdict(NamedTuple):
    """What has become of it; all but `deferred` is the last word."""

    outcome: DeliveryOutcome
    reason: str | None


def write(txn: Txn, topic: str, row: Attempt, notification: Notification, verdict: Verdict, *, now: Instant) -> None:
    """Put the notification's row, ended where the verdict is the last word, and send the delivery to `topic`."""
    if verdict.outcome != "deferred":
        row = replace(row, state="done", due=now + attempts.KEEP_DONE, notification=b"")
    attempts.write(txn, attempts.row_key(notification.dedup_key), row)
    delivery = Delivery(
        dedup_key=notification.dedup_key,
        account_id=notification.account_id,
        rule=notification.rule,
        channel=notification.channel,
        recipient=notification.recipient,
        outcome=verdict.outcome,
        reason=verdict.reason,
        message_id=message_id(notification),
        attempts=row.attempts,
        at=format_instant(now),
    )
    txn.send(topic, notification.account_id.encode(), encode(delivery))
