"""What a trigger is: the facts or the date it looks at, when it holds, its variables (DOMAIN.md, section 3)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import msgspec

from app.contract.codec import Fact
from app.contract.instants import Instant
from app.contract.types import Data, PaymentFailed, PaymentRefunded, PaymentSucceeded
from app.domain.book import Book
from app.domain.companies import Company
from app.domain.invoice import Invoice
from app.domain.keys import subject
from app.domain.occasion import Occasion
from app.domain.rules import Rule


class Present(msgspec.Struct, frozen=True):
    """What a trigger judges by: the book, the account's company, the local day and the instant."""

    book: Book
    company: Company
    today: date
    at: Instant


class Coming(msgspec.Struct, frozen=True):
    """A local day on which a day rule's condition holds by present facts; not before the instant `earliest`, if any.

    `earliest` lies within two days of `day`, or is a card's `since`: else nobody asks for it (app/engine/coming.py).
    """

    day: date
    names: tuple[object, ...]
    """What its subject is made of: the subject is written out only where the day is one that is looked at."""
    about: str | None = None
    earliest: Instant | None = None

    @property
    def subject(self) -> str:
        """The subject, as it stands in keys."""
        return subject(*self.names)


class Occurrence(msgspec.Struct, frozen=True):
    """A fact that an event rule calls for a message on."""

    subject: str
    about: str | None = None
    facts: dict[str, Any] = {}
    contact: str | None = None
    """The contact whom the event names."""
    expires_at: Instant | None = None
    """When its link is of no use any more."""
    reached: int | None = None
    """Rules with an X up to this one come up, the highest of those whose filters match before the others."""
    reached_before: int = 0


class Money(msgspec.Struct, frozen=True):
    """An amount in minor units."""

    amount: int
    currency: str


class Method(msgspec.Struct, frozen=True):
    """How it was paid: `kind` is card, bank account and so on; the last digits never more than four."""

    kind: str
    last4: str | None
    brand: str | None


class AccountVariables(msgspec.Struct, frozen=True, kw_only=True):
    """What every account's message may name."""

    account_name: str
    account_number: str | None


class InvoiceSummary(msgspec.Struct, frozen=True):
    """An invoice in short."""

    invoice_number: str
    total: Money
    due_on: date
    view_url: str | None
    pdf_url: str | None


MaybeInvoice = InvoiceSummary | None


class UserVariables(msgspec.Struct, frozen=True, kw_only=True):
    """What a user's message may name: nothing of any account."""


class PaymentVariables(AccountVariables, frozen=True, kw_only=True):
    """What every message about a payment received may name. `invoice_ids`: what it pays, as far as the event says."""

    amount: Money
    method: Method
    invoice_ids: tuple[str, ...]


class InvoiceVariables(AccountVariables, frozen=True, kw_only=True):
    """What every message about one invoice may name."""

    invoice_number: str
    invoice_total: Money
    invoice_balance: Money
    issued_on: date
    due_on: date
    view_url: str | None
    pdf_url: str | None
    auto_pay_on: date | None


class DueInvoiceVariables(InvoiceVariables, frozen=True, kw_only=True):
    """An invoice, and the rule's X."""

    days: int


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """What both kinds have. `x_min` is the least X, None where the trigger takes none."""

    id: str
    variables: type[msgspec.Struct]
    message: Callable[[Present, Occasion], msgspec.Struct]
    """The typed variables of a message about the occasion, by present facts."""
    holds: Callable[[Present, Occasion], bool]
    """Whether it still holds, without the day count (DOMAIN.md, section 4, Still holds)."""
    categories: tuple[str, ...] = ("financial",)
    audience: Literal["account", "contact", "receipt", "user"] = "account"
    """Account contacts by category; the contact that the event names; that one, else account contacts; the user."""
    x_min: int | None = None
    options: frozenset[str] = field(default_factory=frozenset)
    """Options of a rule that only this trigger has."""

    @property
    def template(self) -> str:
        """The default template's folder."""
        return self.id


@dataclass(frozen=True, kw_only=True)
class EventTrigger(Trigger):
    """Fires on a fact."""

    superseded_by: Callable[[Present, Occasion], tuple[str, str] | None] = lambda _present, _occasion: None
    """The (trigger, subject) that says the same already, if one was sent or held; None where there is none."""
    data: type[Data]
    """The one kind of fact that it looks at."""
    occurs: Callable[[Book, Book, Fact, Any], Occurrence | None]
    """(before, after, fact, its `data`) -> what a message is called for, None where the fact is no occurrence."""


@dataclass(frozen=True, kw_only=True)
class DayTrigger(Trigger):
    """Fires on a local day that is counted from a date.

    `anchors` name the dates in the due index (see app/engine/filing.py); `anchored` returns, of a local day and X, the
    date that is looked up there: for a later day no earlier one, and for any day at all.
    """

    anchors: tuple[str, ...]
    anchored: Callable[[date, int], date]
    coming: Callable[[Present, Rule], Iterable[Coming]]


def account_variables(present: Present) -> dict[str, Any]:
    """Return the values of AccountVariables."""
    details = present.book.account.details
    return {
        "account_name": details.name if details else "",
        "account_number": details.number if details else None,
    }


def invoice_variables(present: Present, occasion: Occasion) -> dict[str, Any]:
    """Return the values of InvoiceVariables for the invoice that the occasion is about."""
    invoice = present.book.invoices[occasion.about or ""]
    return account_variables(present) | {
        "invoice_number": invoice.number,
        "invoice_total": Money(invoice.total, invoice.currency),
        "invoice_balance": Money(invoice.balance, invoice.currency),
        "issued_on": invoice.issued_on,
        "due_on": invoice.due_on,
        "view_url": invoice.view_url,
        "pdf_url": invoice.pdf_url,
        "auto_pay_on": invoice.auto_pay_on,
    }


def as_told(present: Present, occasion: Occasion) -> dict[str, Any]:
    """Return the values of AccountVariables, and what the event said: plain data, to be converted."""
    return account_variables(present) | (occasion.facts or {})


def amount_and_method(data: PaymentSucceeded | PaymentFailed | PaymentRefunded) -> dict[str, Any]:
    """Return what each event about a payment says, as plain data."""
    return {
        "amount": {"amount": data.amount, "currency": data.currency},
        "method": {"kind": data.method.kind, "last4": data.method.last4, "brand": data.method.brand},
    }


def paid(data: PaymentSucceeded) -> dict[str, Any]:
    """Return what the event says of a payment received, as plain data: PaymentVariables without the account's."""
    return amount_and_method(data) | {"invoice_ids": list(data.invoice_ids)}


def maybe_invoice(invoice: Invoice | None) -> "InvoiceSummary | None":
    """Return what a message shows of an invoice that it is only loosely about."""
    if invoice is None:
        return None
    return InvoiceSummary(
        invoice.number, Money(invoice.total, invoice.currency), invoice.due_on, invoice.view_url, invoice.pdf_url
    )


def invoice_of(present: Present, occasion: Occasion) -> Invoice | None:
    """Return the invoice that the occasion is about, if it is still known."""
    return present.book.invoices.get(occasion.about or "")


def open_invoice_due_as_named(present: Present, occasion: Occasion) -> Invoice | None:
    """Return the occasion's invoice if it is open and still has the due date that the subject names."""
    invoice = invoice_of(present, occasion)
    if invoice is None or not invoice.open:
        return None
    return invoice if occasion.subject == subject(*names_by_due_date(invoice, occasion.x)) else None


def names_by_due_date(invoice: Invoice, x: int | None) -> tuple[object, ...]:
    """Return the subject's parts of what counts from the due date: a moved one makes a new subject."""
    return "invoice", invoice.invoice_id, invoice.due_on, x


def happened(_present: Present, _occasion: Occasion) -> bool:
    """Hold for ever: a fact that cannot un-happen."""
    return True
