"""8: a payment for which a receipt was requested."""

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
    """Each payment with a receipt requested, by autopay or not."""
    if not data.receipt_requested:
        return None
    return Occurrence(subject("payment", data.payment_id), data.payment_id, paid(data), contact=data.receipt_contact_id)


def message(present: Present, occasion: Occasion) -> Variables:
    """Return what the event said."""
    return msgspec.convert(as_told(present, occasion), Variables)


TRIGGER = EventTrigger(
    id="payment_receipt",
    data=PaymentSucceeded,
    audience="receipt",
    variables=Variables,
    message=message,
    holds=happened,
    occurs=occurs,
)
