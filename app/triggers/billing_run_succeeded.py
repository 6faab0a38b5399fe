"""23: the automated billing run has finished for the account."""

from datetime import date

import msgspec

from app.contract.codec import Fact
from app.contract.types import RunCompleted
from app.domain.book import Book
from app.domain.keys import subject
from app.domain.occasion import Occasion
from app.triggers import initial_invoice
from app.triggers.base import (
    AccountVariables,
    EventTrigger,
    MaybeInvoice,
    Money,
    Occurrence,
    Present,
    account_variables,
    happened,
    invoice_of,
    maybe_invoice,
)


class Said(msgspec.Struct, frozen=True):
    """What the event said."""

    billed_on: date
    total: int | None


class Variables(AccountVariables, frozen=True, kw_only=True):
    """`invoice` and `total`: None where the run made none, or it has not been told of yet."""

    billed_on: date
    total: Money | None
    invoice: MaybeInvoice


def occurs(_before: Book, _after: Book, _fact: Fact, data: RunCompleted) -> Occurrence | None:
    """Each run."""
    said = msgspec.to_builtins(Said(data.billed_on, data.total))
    return Occurrence(subject("run", data.run_id), data.invoice_id, said)


def superseded_by(present: Present, occasion: Occasion) -> tuple[str, str] | None:
    """The initial invoice's message says the same of the same invoice."""
    account = present.book.account
    if occasion.about is None or account.initial_invoice != occasion.about:
        return None
    return initial_invoice.TRIGGER.id, subject("account", account.account_id)


def message(present: Present, occasion: Occasion) -> Variables:
    """Return the run, and its invoice if it is known."""
    said, invoice = msgspec.convert(occasion.facts, Said), invoice_of(present, occasion)
    total = Money(said.total, invoice.currency) if invoice is not None and said.total is not None else None
    return Variables(
        **account_variables(present), billed_on=said.billed_on, total=total, invoice=maybe_invoice(invoice)
    )


TRIGGER = EventTrigger(
    id="billing_run_succeeded",
    data=RunCompleted,
    variables=Variables,
    message=message,
    holds=happened,
    occurs=occurs,
    superseded_by=superseded_by,
)
