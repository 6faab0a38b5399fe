"""What is true after a fact (DOMAIN.md, section 2: Order, Whole or patch, Imports)."""

from collections.abc import Callable
from datetime import date
from typing import Any

from msgspec.structs import replace

from app.contract.codec import Fact
from app.contract.types import (
    WEEKDAYS,
    AccountData,
    AccountSnapshot,
    AccountUpdated,
    CardData,
    CardRemoved,
    CardSnapshot,
    CardUpdated,
    InvoiceData,
    InvoiceIssued,
    InvoiceSnapshot,
    InvoiceUpdated,
    JobScheduled,
    JobUnscheduled,
    PasswordResetRequested,
    PreferencesChanged,
    UsageRecorded,
    UserCreated,
    UserData,
)
from app.contract.types import Contact as ToldContact
from app.domain.account import Account, Contact, Details, Login, Preferences
from app.domain.book import Book
from app.domain.invoice import Invoice
from app.domain.things import planned, stored, used

EARLIEST, LATEST = date(1900, 1, 1), date(2999, 12, 31)


def apply(book: Book, fact: Fact) -> Book:
    """Return the book with what the fact says of account, contacts and things; flips are `delinquency.settle`'s."""
    said = _SAYING.get(type(fact.data))
    return book if said is None else said(book, fact.data, fact)


def _accounted(book: Book, data: AccountData, fact: Fact) -> Book:
    account = _told(book.account, data, snapshot=fact.is_snapshot)
    if book.account.details is not None or not book.cards:
        return replace(book, account=account)
    # A card stored before its account counts as stored at the account's first event (section 2, Unknown account).
    cards = {c.card_id: replace(c, since=max(fact.time, c.since), silent=fact.is_snapshot) for c in book.cards.values()}
    return replace(book, account=account, cards=cards)


def _told(account: Account, data: AccountData, *, snapshot: bool) -> Account:
    said, contacts = dict(account.preferences), []
    for told in data.contacts:
        left = _what_stays(said.pop(told.contact_id, Preferences()), told)
        if left != Preferences():
            said[told.contact_id] = left
        contacts.append(_with(_contact(told), left))
    activated = account.activated
    if activated is None and data.status.activates:
        activated = "snapshot" if snapshot else "updated"
    return replace(account, details=_details(data, tuple(contacts)), preferences=said, activated=activated)


def _what_stays(said: Preferences, told: ToldContact) -> Preferences:
    """What the account's own event says ends what was said before; what it leaves out stays."""
    return Preferences(
        said.categories if told.categories is None else None,
        said.email_opt_out if told.email_opt_out is None else None,
        said.sms_opt_in if told.sms_opt_in is None else None,
    )


def _contact(told: ToldContact) -> Contact:
    return Contact(
        told.contact_id,
        told.name or "",
        told.email,
        told.phone,
        told.language,
        told.categories or (),
        bool(told.email_opt_out),
        bool(told.sms_opt_in),
    )


def _with(contact: Contact, said: Preferences) -> Contact:
    return replace(
        contact,
        categories=contact.categories if said.categories is None else said.categories,
        email_opt_out=contact.email_opt_out if said.email_opt_out is None else said.email_opt_out,
        sms_opt_in=contact.sms_opt_in if said.sms_opt_in is None else said.sms_opt_in,
    )


def _details(data: AccountData, contacts: tuple[Contact, ...]) -> Details:
    check = data.delinquency.check_weekdays if data.delinquency else None
    minimum = data.delinquency.minimum_amount if data.delinquency else None
    return Details(
        company_id=data.company_id,
        name=data.name,
        status=data.status.name,
        number=data.number,
        account_type=data.account_type,
        groups=data.groups,
        language=data.language,
        autopay=data.autopay,
        parent_account_id=data.parent_account_id or None,
        time_zone=data.time_zone,
        grace_until=_dated(data.grace_until) if data.grace_until else None,
        check_weekdays=None if check is None else tuple(WEEKDAYS.index(day) for day in check),
        minimum_amount=minimum.amount if minimum else None,
        minimum_currency=minimum.currency if minimum else None,
        contacts=contacts,
    )


def _dated(day: date) -> date:
    """Return a day that can be reckoned from: publishers write the calendar's last day for never."""
    return min(max(day, EARLIEST), LATEST)


def _preferring(book: Book, data: PreferencesChanged, _fact: Fact) -> Book:
    account = book.account
    old = account.preferences.get(data.contact_id, Preferences())
    said = Preferences(
        old.categories if data.categories is None else data.categories,
        old.email_opt_out if data.email_opt_out is None else data.email_opt_out,
        old.sms_opt_in if data.sms_opt_in is None else data.sms_opt_in,
    )
    details = account.details
    if details is not None:
        contacts = tuple(_with(c, said) if c.contact_id == data.contact_id else c for c in details.contacts)
        details = replace(details, contacts=contacts)
    preferences = {**account.preferences, data.contact_id: said}
    return replace(book, account=replace(account, details=details, preferences=preferences))


def _invoiced(book: Book, data: InvoiceData, _fact: Fact) -> Book:
    known = book.invoices.get(data.invoice_id)
    book = _noting_the_initial_one(book, data, known)
    if known is not None and None not in (known.version, data.version) and (data.version or 0) < (known.version or 0):
        return book
    told: dict[str, Any] = {
        "number": data.number,
        "currency": data.currency,
        "total": data.total,
        "balance": data.balance,
        "issued_on": _dated(data.issued_on),
        "due_on": _dated(data.due_on),
        "grace_days": data.grace_days,
        "status": data.status,
        "version": data.version if data.version is not None or known is None else known.version,
        "auto_pay_on": data.auto_pay_on,
        "pdf_url": data.pdf_url,
        "view_url": data.view_url,
        "origin": data.origin,
    }
    invoice = Invoice(data.invoice_id, **told) if known is None else replace(known, **told)
    return replace(book, invoices={**book.invoices, invoice.invoice_id: invoice})


def _noting_the_initial_one(book: Book, data: InvoiceData, known: Invoice | None) -> Book:
    """The initial invoice is the first issued since the activation; one that a snapshot brings takes its place."""
    account = book.account
    if account.activated is None or account.initial_invoice is not None or known is not None:
        return book
    if isinstance(data, InvoiceIssued):
        return replace(book, account=replace(account, initial_invoice=data.invoice_id))
    if isinstance(data, InvoiceSnapshot):
        return replace(book, account=replace(account, initial_invoice=""))
    return book


def _stored(book: Book, data: CardData | CardRemoved, fact: Fact) -> Book:
    return replace(book, cards=stored(book.cards, data, fact))


def _planned(book: Book, data: JobScheduled | JobUnscheduled, _fact: Fact) -> Book:
    return replace(book, jobs=planned(book.jobs, data))


def _used(book: Book, data: UsageRecorded, _fact: Fact) -> Book:
    return replace(book, usages=used(book.usages, data))


def _logged_in(book: Book, data: UserData, _fact: Fact) -> Book:
    user = data.user
    login = Login(user.user_id, user.name, user.email, user.language, user.company_id)
    return replace(book, account=replace(book.account, login=login))


_SAYING: dict[type, Callable[[Book, Any, Fact], Book]] = {
    AccountUpdated: _accounted,
    AccountSnapshot: _accounted,
    InvoiceIssued: _invoiced,
    InvoiceUpdated: _invoiced,
    InvoiceSnapshot: _invoiced,
    PreferencesChanged: _preferring,
    CardUpdated: _stored,
    CardSnapshot: _stored,
    CardRemoved: _stored,
    JobScheduled: _planned,
    JobUnscheduled: _planned,
    UsageRecorded: _used,
    UserCreated: _logged_in,
    PasswordResetRequested: _logged_in,
}
"""What each type says; a type that is not here is an occurrence and no state."""
