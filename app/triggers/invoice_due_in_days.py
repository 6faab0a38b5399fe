"""19: an invoice is due in X days."""

from collections.abc import Iterator

from app.domain.calendar import days_after
from app.domain.occasion import Occasion
from app.domain.rules import Rule
from app.triggers.base import (
    Coming,
    DayTrigger,
    DueInvoiceVariables,
    Present,
    invoice_variables,
    names_by_due_date,
    open_invoice_due_as_named,
)


class Variables(DueInvoiceVariables, frozen=True, kw_only=True):
    """`days`: how many days before the due date."""


def coming(present: Present, rule: Rule) -> Iterator[Coming]:
    """Open, X days before `due_on`."""
    days = rule.x or 0
    for invoice in present.book.open_invoices():
        yield Coming(days_after(invoice.due_on, -days), names_by_due_date(invoice, rule.x), invoice.invoice_id)


def holds(present: Present, occasion: Occasion) -> bool:
    """Open, same due date, today not after it."""
    invoice = open_invoice_due_as_named(present, occasion)
    return invoice is not None and present.today <= invoice.due_on


def message(present: Present, occasion: Occasion) -> Variables:
    """Return the invoice and X."""
    return Variables(**invoice_variables(present, occasion), days=occasion.x or 0)


TRIGGER = DayTrigger(
    id="invoice_due_in_days",
    x_min=0,
    variables=Variables,
    message=message,
    holds=holds,
    coming=coming,
    anchors=("due",),
    anchored=days_after,
)
