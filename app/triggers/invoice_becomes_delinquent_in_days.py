"""22: an invoice will become delinquent in X days."""

from collections.abc import Iterator
from datetime import date

from app.domain.calendar import days_after
from app.domain.delinquency import projected
from app.domain.keys import subject
from app.domain.occasion import Occasion
from app.domain.rules import Rule
from app.triggers.base import Coming, DayTrigger, DueInvoiceVariables, Present, invoice_of, invoice_variables


class Variables(DueInvoiceVariables, frozen=True, kw_only=True):
    """`days`: in how many days; `delinquent_on`: the projected date."""

    delinquent_on: date


def coming(present: Present, rule: Rule) -> Iterator[Coming]:
    """Open and not delinquent, X days before its projected date."""
    days = rule.x or 0
    for invoice in present.book.open_invoices():
        day = projected(present.book, invoice, present.company, present.today)
        if day is not None:
            yield Coming(days_after(day, -days), ("invoice", invoice.invoice_id, day, rule.x), invoice.invoice_id)


def _still_ahead(present: Present, occasion: Occasion) -> date | None:
    invoice = invoice_of(present, occasion)
    day = projected(present.book, invoice, present.company, present.today) if invoice else None
    if invoice is None or day is None or day <= present.today:
        return None
    return day if occasion.subject == subject("invoice", invoice.invoice_id, day, occasion.x) else None


def holds(present: Present, occasion: Occasion) -> bool:
    """Open, not delinquent, same projected date, still ahead."""
    return _still_ahead(present, occasion) is not None


def message(present: Present, occasion: Occasion) -> Variables:
    """Return the invoice, X and the projected date."""
    values = invoice_variables(present, occasion)
    return Variables(**values, days=occasion.x or 0, delinquent_on=_still_ahead(present, occasion) or present.today)


TRIGGER = DayTrigger(
    id="invoice_becomes_delinquent_in_days",
    x_min=1,
    variables=Variables,
    message=message,
    holds=holds,
    coming=coming,
    anchors=("ready",),
    anchored=days_after,
)
