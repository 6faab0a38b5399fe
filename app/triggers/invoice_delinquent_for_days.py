"""18: an invoice has been delinquent for X days."""

from collections.abc import Iterator
from datetime import date

from app.domain.calendar import days_after
from app.domain.keys import subject
from app.domain.occasion import Occasion
from app.domain.rules import Rule
from app.triggers.base import Coming, DayTrigger, DueInvoiceVariables, Present, invoice_of, invoice_variables


class Variables(DueInvoiceVariables, frozen=True, kw_only=True):
    """`days`: for how many days; `delinquent_since`: the local day it was moved in."""

    delinquent_since: date


def coming(present: Present, rule: Rule) -> Iterator[Coming]:
    """Moved in X days ago, and still in."""
    for invoice in present.book.invoices.values():
        if invoice.since is not None:
            names = ("invoice", invoice.invoice_id, invoice.since, rule.x)
            yield Coming(days_after(invoice.since, rule.x or 0), names, invoice.invoice_id)


def holds(present: Present, occasion: Occasion) -> bool:
    """Delinquent since the same day."""
    invoice = invoice_of(present, occasion)
    if invoice is None or invoice.since is None:
        return False
    return occasion.subject == subject("invoice", invoice.invoice_id, invoice.since, occasion.x)


def message(present: Present, occasion: Occasion) -> Variables:
    """Return the invoice, X and since when."""
    invoice = present.book.invoices[occasion.about or ""]
    values = invoice_variables(present, occasion)
    return Variables(**values, days=occasion.x or 0, delinquent_since=invoice.since or present.today)


TRIGGER = DayTrigger(
    id="invoice_delinquent_for_days",
    x_min=1,
    variables=Variables,
    message=message,
    holds=holds,
    coming=coming,
    anchors=("since",),
    anchored=lambda day, x: days_after(day, -x),
)
