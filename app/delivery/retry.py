"""When a notification that was not taken is tried again (ARCHITECTURE.md, section 5, Sender)."""

from typing import Final

from app.contract.instants import DAY, HOUR, Instant

EXPIRES_AFTER: Final = 3 * DAY
"""Counted from the decision: old news is no news."""
LONGEST: Final = 2 * HOUR


def wait(times: int, first: int) -> int:
    """Return the microseconds to wait after `times` (≥ 1) in vain: `first`, doubling, at most 2 h."""
    return min(LONGEST, first << min(times - 1, 16))


def next_attempt(attempts: int, now: Instant, decided_at: Instant, first: int) -> Instant | None:
    """Return when to try again after `attempts` (≥ 1) in vain, see `wait`; None: never."""
    at = now + wait(attempts, first)
    return None if expired(at, decided_at) else at


def expired(now: Instant, decided_at: Instant) -> bool:
    """Tell whether a notification is too old to be tried at all."""
    return now > decided_at + EXPIRES_AFTER
