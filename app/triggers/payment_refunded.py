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
    account_variables,
    happened,
)


class Said(msgspec.Struct, frozen=True):
    """What the event said."""

    amount: Money
    method: Method


class Variables(AccountVariables, frozen=True, kw_only=True):
    """What was refunded, and to what."""

    amount: Money
    method: Method


def occurs(_before: Book, _after: Book, fact: Fact) -> Occurrence | None:
    """Each refund."""
    data = fact.data
    if not isinstance(data, PaymentRefunded):
        return None
    said = Said(Money(data.amount, data.currency), Method(data.method.kind, data.method.last4, data.method.brand))
    return Occurrence(subject("refund", data.refund_id), data.payment_id, msgspec.to_builtins(said))


def message(present: Present, occasion: Occasion) -> Variables:
    """Return what the event said."""
    said = msgspec.convert(occasion.facts, Said)
    return Variables(**account_variables(present), **msgspec.structs.asdict(said))


TRIGGER = EventTrigger(id="payment_refunded", variables=Variables, message=message, holds=happened, occurs=occurs)
