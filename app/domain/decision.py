"""What is written down of every decision (DOMAIN.md, section 6)."""

from typing import Any

import msgspec

from app.contract.instants import Instant
from app.domain import keys
from app.domain.audience import Recipient
from app.domain.occasion import Outcome, Reason


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome for one (rule, account, subject, moment).

    `message` holds the typed variables of what is to be sent, None where nothing is, or nobody asks.
    """

    rule: str
    version: int
    trigger: str
    book: str
    """The account's id; for a login see `keys.user_book`."""
    subject: str
    x: int | None = None
    about: str | None = None
    """Of the occasion: what it takes to ask later whether it still holds."""
    moment: Instant
    decided_at: Instant
    outcome: Outcome
    reason: Reason | None = None
    recipients: tuple[Recipient, ...] = ()
    company_id: str | None = None
    time_zone: str | None = None
    template: str | None = None
    critical: bool = False
    message: Any = None
    facts: dict[str, Any] | None = None
    """By which it was made, where they are kept (see engine/facts.py)."""
    expires_at: Instant | None = None
    """Of the occasion: when its link is of no use any more."""

    @property
    def owner(self) -> str:
        """The account's or the user's id."""
        return keys.owner(self.book)

    @property
    def account_id(self) -> str | None:
        """The account's id, None for a user's."""
        return None if keys.is_user(self.book) else self.book
