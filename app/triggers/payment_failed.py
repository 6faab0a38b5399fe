"""15: an autopay attempt fails."""

from datetime import date

import msgspec

from app.contract.codec import Fact
from app.contract.types import PaymentFailed
from app.domain.book import Book
from app.domain.keys import subject
from app.domain.occasion import Occasion
from app.triggers.base import (
    AccountVariables,
    EventTrigger,
    Method,
    Money,
    Occurrence,
    Present,
    amount_and_method,
    as_told,
    happened,
)


class Variables(AccountVariables, frozen=True, kw_only=True):
    """`reason` as the payment provider gave it; `retry_on`: when the next attempt is due, if one is."""

    amount: Money
    method: Method
    attempt: int
    reason: str
    retry_on: date | None


def occurs(_before: Book, _after: Book, _fact: Fact, data: PaymentFailed) -> Occurrence | None:
    """Each failed autopay attempt; a manual payment's failure is none."""
    if not data.autopay:
        return None
    said = {
        **amount_and_method(data),
        "attempt": data.attempt,
        "reason": data.reason,
        "retry_on": data.retry_on and data.retry_on.isoformat(),
    }
    return Occurrence(subject("payment", data.payment_id, data.attempt), data.payment_id, said)


def message(present: Present, occasion: Occasion) -> Variables:
    """Return what the event said."""
    return msgspec.convert(as_told(present, occasion), Variables)


TRIGGER = EventTrigger(
    id="payment_failed", data=PaymentFailed, variables=Variables, message=message, holds=happened, occurs=occurs
)
