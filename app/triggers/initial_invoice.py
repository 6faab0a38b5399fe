"""17: the first invoice after an account's first activation."""

from app.contract.codec import Fact
from app.contract.types import InvoiceIssued
from app.domain.book import Book
from app.domain.keys import subject
from app.domain.occasion import Occasion
from app.triggers.base import EventTrigger, InvoiceVariables, Occurrence, Present, invoice_of, invoice_variables


class Variables(InvoiceVariables, frozen=True, kw_only=True):
    """The invoice."""


def occurs(before: Book, after: Book, _fact: Fact, data: InvoiceIssued) -> Occurrence | None:
    """An issued invoice has just become the initial one; the activation must have come by `account.updated`."""
    account = after.account
    if account.activated != "updated":
        return None
    if before.account.initial_invoice is not None or account.initial_invoice != data.invoice_id:
        return None
    return Occurrence(subject("account", account.account_id), data.invoice_id)


def holds(present: Present, occasion: Occasion) -> bool:
    """Not void."""
    invoice = invoice_of(present, occasion)
    return invoice is not None and invoice.status != "void"


def message(present: Present, occasion: Occasion) -> Variables:
    """Return the invoice."""
    return Variables(**invoice_variables(present, occasion))


TRIGGER = EventTrigger(
    id="initial_invoice", data=InvoiceIssued, variables=Variables, message=message, holds=holds, occurs=occurs
)
