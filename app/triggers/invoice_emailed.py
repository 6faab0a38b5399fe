"""20: an invoice is e-mailed by hand."""

from app.contract.codec import Fact
from app.contract.types import InvoiceEmailed
from app.domain.book import Book
from app.domain.keys import subject
from app.domain.occasion import Occasion
from app.triggers.base import (
    AccountVariables,
    EventTrigger,
    MaybeInvoice,
    Occurrence,
    Present,
    account_variables,
    happened,
    invoice_of,
    maybe_invoice,
)


class Variables(AccountVariables, frozen=True, kw_only=True):
    """`invoice`: None where it has not been told of yet."""

    invoice: MaybeInvoice


def occurs(_before: Book, _after: Book, fact: Fact, data: InvoiceEmailed) -> Occurrence | None:
    """Each time."""
    about = subject("invoice", data.invoice_id, fact.source, fact.id)
    return Occurrence(about, data.invoice_id, contact=data.contact_id)


def message(present: Present, occasion: Occasion) -> Variables:
    """Return the invoice."""
    return Variables(**account_variables(present), invoice=maybe_invoice(invoice_of(present, occasion)))


TRIGGER = EventTrigger(
    id="invoice_emailed",
    data=InvoiceEmailed,
    audience="contact",
    variables=Variables,
    message=message,
    holds=happened,
    occurs=occurs,
)
