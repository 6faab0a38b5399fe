"""16: an autopay payment succeeds."""

import msgspec

from app.contract.codec import Fact
from app.contract.types import PaymentSucceeded
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
    invoice_ids: tuple[str, ...]


class Variables(AccountVariables, frozen=True, kw_only=True):
    """`invoice_ids`: the invoices it pays, as far as the event names them."""

    amount: Money
    method: Method
    invoice_ids: tuple[str, ...]


def occurs(_before: Book, _after: Book, fact: Fact) -> Occurrence | None:
    """Each autopay payment; one made by hand is none."""
    data = fact.data
    if not isinstance(data, PaymentSucceeded) or not data.autopay:
        return None
    method = Method(data.method.kind, data.method.last4, data.method.brand)
    said = Said(Money(data.amount, data.currency), method, tuple(data.invoice_ids or ()))
    return Occurrence(subject("payment", data.payment_id), data.payment_id, msgspec.to_builtins(said))


def message(present: Present, occasion: Occasion) -> Variables:
    """Return what the event said."""
    said = msgspec.convert(occasion.facts, Said)
    return Variables(**account_variables(present), **msgspec.structs.asdict(said))


TRIGGER = EventTrigger(id="payment_succeeded", variables=Variables, message=message, holds=happened, occurs=occurs)
