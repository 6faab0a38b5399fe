"""What is written down of every decision (DOMAIN.md, section 6)."""

from typing import Any

import msgspec

from app.contract.instants import Instant
from app.domain.audience import Recipient
from app.domain.occasion import Outcome, Reason


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome for one (rule, account, subject, moment).

    `message` holds the typed variables of what is to be sent, None where nothing is; `critical` and the like come from
    the rule's version.
    """

    rule: str
    version: int
    trigger: str
    account_id: str
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
    message: Any = None
