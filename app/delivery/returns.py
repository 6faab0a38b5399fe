"""Notifications too old to be handed over unchecked: given back, and in again with an answer (ARCHITECTURE.md, 5)."""

from typing import Final

from msgspec.structs import replace

from app.contract.instants import Instant, parse_instant
from app.delivery import retry
from app.delivery.attempts import Attempt
from app.engine.outbox import Notification, decode_notification

ROUNDS: Final = 3
"""Given back more often without an attempt in between, something is amiss: clocks, or a relay that is far too slow."""


def is_stale(notification: Notification, now: Instant, freshness: int) -> bool:
    """Tell whether it was last known to hold more than `freshness` (µs) before `now`."""
    return not notification.fresh and now - parse_instant(notification.checked_at) > freshness


def given_back(row: Attempt, notification: Notification) -> Attempt:
    """Return the row that waits for an answer: no longer than the notification may be tried at all."""
    expires = parse_instant(notification.decided_at) + retry.EXPIRES_AFTER
    return replace(row, state="returned", due=expires, rounds=row.rounds + 1)


def answered(row: Attempt, answer: Notification, value: bytes, again: Instant | None) -> Attempt | None:
    """Return the row with the answer in place of the notification, None where it is a repeat.

    It takes its old place among what waits. `again`: not to be looked at before; None where the answer is fresh.
    """
    if row.state != "returned" or answer.round <= decode_notification(row.notification).round:
        return None
    return replace(row, state="waiting", due=again or row.received, notification=value)


def asks_again_at(row: Attempt, answer: Notification, now: Instant, freshness: int, first: int) -> Instant | None:
    """Return when to go on with an answer that is stale on arrival, None: at once.

    Clocks that are far apart make every answer stale: the rounds get further and further apart.
    """
    if row.rounds < ROUNDS or not is_stale(answer, now, freshness):
        return None
    return now + retry.wait(row.rounds - ROUNDS + 1, first)
