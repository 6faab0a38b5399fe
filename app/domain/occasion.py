"""What calls for a decision, and what has come of it (DOMAIN.md, sections 1 and 4)."""

from datetime import date
from enum import StrEnum
from typing import Any

import msgspec

from app.contract.instants import DAY, Instant
from app.domain.switches import TripId

REMEMBERED = 400 * DAY
"""What was decided is remembered this long after its moment."""


class Outcome(StrEnum):
    """What a decision can be: DOMAIN.md, section 4.1."""

    SENT = "sent"
    HELD = "held"
    SKIPPED = "skipped"
    SUPERSEDED = "superseded"


class Reason(StrEnum):
    """Why nothing was sent, or not yet; in the order of their precedence."""

    DUPLICATE = "duplicate"
    RULE_CHANGED = "rule_changed"
    NO_LONGER_TRUE = "no_longer_true"
    FILTERED = "filtered"
    EXPIRED = "expired"
    LATE = "late"
    NO_RECIPIENT = "no_recipient"
    OPTED_OUT = "opted_out"
    UNKNOWN_ACCOUNT = "unknown_account"
    KILL_SWITCH = "kill_switch"
    GUARD = "guard"
    HOLIDAY = "holiday"
    WEEKDAY = "weekday"
    WINDOW = "window"
    CAPPED = "capped"


class Occasion(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A rule's trigger applies to a subject at a moment, by the rule's version in force at that moment.

    `about` is the id of what the subject names (an invoice, a payment), None for the account itself. `facts` is what
    the event said that the message needs, as plain data: a day rule reads the book instead. `contact` is the one whom
    the event names. After `expires_at` its link is of no use.
    """

    rule: str
    version: int
    trigger: str
    x: int | None
    subject: str
    moment: Instant
    about: str | None = None
    facts: dict[str, Any] | None = None
    contact: str | None = None
    expires_at: Instant | None = None


class Pending(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An occasion that has come up and waits to be decided.

    `missed`: during an outage, decided at the tick after its backlog. `lagging`: called up by a fact that arrived late,
    decided when the clock next moves on, without a line if it no longer holds. `unknown_account`: held until the
    account's first event. Others are reasons to hold: decided anew at `release`, or None: when an operator says so.
    `since`: the earliest instant at which it could have been decided; `held`: since when its line says that it is held.
    `trips`: those of the guard that it was held under; once they are released the guard has no say in it any more.
    """

    occasion: Occasion
    why: str
    since: Instant
    release: Instant | None = None
    held: Instant | None = None
    trips: tuple[TripId, ...] = ()

    @property
    def open_ended(self) -> bool:
        """Whether it is held until the configuration changes, not until an instant."""
        return self.release is None and self.held is not None

    def reckoned(self, at: Instant) -> Instant:
        """Return the instant by which it is late or not at `at`: time spent held does not count, what follows does.

        What waits for an operator or for its account is held until it is decided.
        """
        if self.held is None:
            return at
        if self.release is None or self.why == "unknown_account":
            return self.held
        return self.held + max(0, at - self.release)


class Decided(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What is remembered of a (rule, account, subject): the moments decided, and the one it was sent or held at."""

    moments: tuple[Instant, ...]
    committed: Instant | None = None

    @property
    def until(self) -> Instant:
        """When it is forgotten."""
        return max(self.moments) + REMEMBERED


class Tally(msgspec.Struct, frozen=True, gc=False):
    """How many non-critical notifications a contact got on its latest local day."""

    day: date
    count: int
