"""When a notification that was not taken is tried again (ARCHITECTURE.md, section 5, Sender)."""

from typing import Final

from app.contract.instants import DAY, HOUR, MINUTE, Instant

EXPIRES_AFTER: Final = 3 * DAY
"""Counted from the decision: old news is no news."""
FIRST: Final = MINUTE
LONGEST: Final = 2 * HOUR


def next_attempt(attempts: int, now: Instant, decided_at: Instant) -> Instant | None:
    """Return when to try again after `attempts` (≥ 1) in vain: 1, 2, 4 … minutes, then every 2 h; None: never."""
    wait = min(LONGEST, FIRST << min(attempts - 1, 16))
    at = now + wait
    return None if expired(at, decided_at) else at


def expired(now: Instant, decided_at: Instant) -> bool:
    """Tell whether a notification is too old to be tried at all."""
    return now > decided_at + EXPIRES_AFTER
