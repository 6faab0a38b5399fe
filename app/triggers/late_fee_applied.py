"""6: an automatic late fee."""

from typing import Any

from app.contract.codec import Fact
from app.contract.types import LateFeeApplied
from app.domain.book import Book
from app.domain.keys import subject
from app.domain.occasion import Occasion
from app.triggers.base import (
    AccountVariables,
    EventTrigger,
    Money,
    Occurrence,
    Present,
    account_variables,
    happened,
    invoice_of,
)


class Variables(AccountVariables, frozen=True, kw_only=True):
    """The fee, and the number of the invoice it was charged on, if that is known."""

    fee: Money
    invoice_number: str | None


def occurs(_before: Book, _after: Book, fact: Fact, data: LateFeeApplied) -> Occurrence | None:
    """Each automatic fee; one applied by hand is none."""
    if not data.automatic:
        return None
    about = subject("invoice", data.invoice_id, fact.source, fact.id)
    return Occurrence(about, data.invoice_id, {"amount": data.amount, "currency": data.currency})


def message(present: Present, occasion: Occasion) -> Variables:
    """Return the fee."""
    said: dict[str, Any] = occasion.facts or {}
    invoice = invoice_of(present, occasion)
    return Variables(
        **account_variables(present),
        fee=Money(said["amount"], said["currency"]),
        invoice_number=invoice.number if invoice else None,
    )


TRIGGER = EventTrigger(
    id="late_fee_applied", data=LateFeeApplied, variables=Variables, message=message, holds=happened, occurs=occurs
)
