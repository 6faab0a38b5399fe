"""4: a refund is made, partial included."""

import msgspec

from app.contract.codec import Fact
from app.contract.types import PaymentRefunded
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
    """What was refunded, and to what."""

    amount: Money
    method: Method


def occurs(_before: Book, _after: Book, _fact: Fact, data: PaymentRefunded) -> Occurrence | None:
    """Each refund."""
    return Occurrence(subject("refund", data.refund_id), data.payment_id, amount_and_method(data))


def message(present: Present, occasion: Occasion) -> Variables:
    """Return what the event said."""
    return msgspec.convert(as_told(present, occasion), Variables)


TRIGGER = EventTrigger(
    id="payment_refunded", data=PaymentRefunded, variables=Variables, message=message, holds=happened, occurs=occurs
)
