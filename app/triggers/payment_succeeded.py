"""16: an autopay payment succeeds."""

import msgspec

from app.contract.codec import Fact
from app.contract.types import PaymentSucceeded
from app.domain.book import Book
from app.domain.keys import subject
from app.domain.occasion import Occasion
from app.triggers.base import EventTrigger, Occurrence, PaymentVariables, Present, as_told, happened, paid


class Variables(PaymentVariables, frozen=True, kw_only=True):
    """The payment."""


def occurs(_before: Book, _after: Book, _fact: Fact, data: PaymentSucceeded) -> Occurrence | None:
    """Each autopay payment; one made by hand is none."""
    if not data.autopay:
        return None
    return Occurrence(subject("payment", data.payment_id), data.payment_id, paid(data))


def message(present: Present, occasion: Occasion) -> Variables:
    """Return what the event said."""
    return msgspec.convert(as_told(present, occasion), Variables)


TRIGGER = EventTrigger(
    id="payment_succeeded", data=PaymentSucceeded, variables=Variables, message=message, holds=happened, occurs=occurs
)
