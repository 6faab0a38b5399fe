"""When an invoice is moved into delinquency, and when it comes out again (DOMAIN.md, section 3.2).

"Moved in" is a policy: nominal date and override say from when; exclusions, check weekdays and minimum amount only keep
an invoice from being moved in on a day.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from msgspec.structs import replace

from app.contract.instants import Instant
from app.domain import keys
from app.domain.account import Account, Details, Episode
from app.domain.book import Book
from app.domain.calendar import LocalClock
from app.domain.companies import Company
from app.domain.invoice import Invoice

HORIZON = timedelta(days=400)
"""No exclusion but one of every day keeps an invoice out for longer: beyond it no date is in sight."""
ONE_DAY = timedelta(days=1)


def earliest(invoice: Invoice, details: Details) -> date:
    """Return the first day on which the invoice may be moved in, as far as nominal date and override go."""
    return max(invoice.nominal, details.grace_until) if details.grace_until else invoice.nominal


def allowed(day: date, details: Details, company: Company) -> bool:
    """Whether invoices are moved in on this day at all."""
    weekdays = details.check_weekdays
    return not company.excludes(day) and (weekdays is None or day.weekday() in weekdays)


def enough(book: Book, details: Details, currency: str, day: date) -> bool:
    """Whether what is owed at or past nominal on `day` reaches the minimum amount, if that is of `currency`."""
    if details.minimum_amount is None or details.minimum_currency != currency:
        return True
    owed = sum(i.balance for i in book.open_invoices() if i.currency == currency and i.nominal <= day)
    return owed >= details.minimum_amount


def projected(book: Book, invoice: Invoice, company: Company, today: date) -> date | None:
    """Return the day, `today` or later, on which it becomes delinquent by present facts; None: none in sight."""
    details = book.account.details
    if details is None or not invoice.open or invoice.delinquent:
        return None
    day = max(earliest(invoice, details), today)
    for candidate in _days_of_change(book, day):
        if enough(book, details, invoice.currency, candidate):
            return _first_allowed(candidate, details, company)
    return None


def _days_of_change(book: Book, day: date) -> Iterator[date]:
    """Yield `day`, then all days on which the sum of what is at or past nominal grows; before `day` it was no more."""
    yield day
    yield from sorted(i.nominal for i in book.open_invoices())


def _first_allowed(day: date, details: Details, company: Company) -> date | None:
    end = day + HORIZON
    while not allowed(day, details, company):
        day += ONE_DAY
        if day > end:
            return None
    return day


def next_flip(book: Book, company: Company, end: Instant) -> Instant | None:
    """Return the first instant, at or after the account's clock, at which a local midnight moves an invoice in.

    From `end` on nobody asks: it may be None then.
    """
    clock = book.account.clock
    if clock is None:
        return None
    found = (_flip_of(book, invoice, company, clock) for invoice in _ready_by(book, clock.day(end)))
    return min((instant for instant in found if instant is not None), default=None)


def _ready_by(book: Book, day: date) -> list[Invoice]:
    """Return the invoices that may be moved in on `day` or before, as far as nominal date and override go."""
    details = book.account.details
    if details is None:
        return []
    return [
        i
        for i in book.invoices.values()
        if i.due_on < day and i.since is None and i.open and earliest(i, details) <= day  # the cheapest first
    ]


def _flip_of(book: Book, invoice: Invoice, company: Company, clock: LocalClock) -> Instant | None:
    done = book.account.done
    today = clock.day(done)
    for day in (today, today + ONE_DAY):
        flip = projected(book, invoice, company, day)
        midnight = clock.midnight(flip) if flip else None
        if midnight is not None and midnight >= done:
            return midnight
    return None


def settle(book: Book, company: Company, at: Instant) -> Book:
    """Move invoices in and out as the local day at `at` calls for, and begin or end the account's episode."""
    details, clock = book.account.details, book.account.clock
    if details is None or clock is None:
        return book
    day = clock.day(at)
    settled = book if book.account.episode is None else _moved_out(book, details, day)
    flips = [i for i in _ready_by(settled, day) if projected(settled, i, company, day) == day]
    moved = {i.invoice_id: replace(i, since=day, flipped_at=at) for i in flips}
    return with_episode(with_invoices(settled, moved), at, day)


def settle_silently(book: Book, company: Company, at: Instant) -> Book:
    """Take in what a snapshot found: delinquent since the computed date, without a moment (section 2, Imports)."""
    details, clock = book.account.details, book.account.clock
    if details is None or clock is None:
        return book
    day = clock.day(at)
    settled = _moved_out(book, details, day)
    moved = {}
    for invoice in settled.open_invoices():
        computed = projected(settled, invoice, company, earliest(invoice, details))
        if computed is not None and computed <= day:
            moved[invoice.invoice_id] = replace(invoice, since=computed, flipped_at=at, silent=True)
    return with_episode(with_invoices(settled, moved), at, day, silent=True)


def _moved_out(book: Book, details: Details, day: date) -> Book:
    """An invoice stops being delinquent when it is not open, or its nominal date or the override lies in the future."""
    out = {
        i.invoice_id: replace(i, since=None, flipped_at=None, silent=False)
        for i in book.invoices.values()
        if i.since is not None and (not i.open or earliest(i, details) > day)
    }
    return with_invoices(book, out)


def with_invoices(book: Book, changed: Mapping[str, Invoice]) -> Book:
    """Return the book with these invoices, new or changed; the same book if there are none."""
    return replace(book, invoices={**book.invoices, **changed}) if changed else book


def with_episode(book: Book, at: Instant, day: date, *, silent: bool = False) -> Book:
    """Begin the account's episode with its first delinquent invoice, end it when none is left."""
    account = book.account
    delinquent = [i.since for i in book.invoices.values() if i.since is not None]
    if bool(delinquent) == (account.episode is not None):
        return book
    episode = Episode(min(delinquent) if silent else day, at, silent) if delinquent else None
    return replace(book, account=replace(account, episode=episode))


def filed(book: Book, day: date) -> Book:
    """Note on each invoice and card what the due index files it under, as of the local day `day`."""
    account = book.account
    if account.details is None:
        return book
    zone = zone_key(account)
    irregular = account.details.check_weekdays is not None or account.details.minimum_amount is not None
    moved = {}
    for invoice in book.invoices.values():
        ready = _ready(invoice, account.details, day)
        if invoice.ready_on != ready or invoice.zone_key != zone or invoice.irregular != irregular:
            moved[invoice.invoice_id] = replace(invoice, ready_on=ready, zone_key=zone, irregular=irregular)
    cards = {c.card_id: replace(c, zone_key=zone) for c in book.cards.values() if c.zone_key != zone}
    if cards:
        book = replace(book, cards={**book.cards, **cards})
    return with_invoices(book, moved)


def _ready(invoice: Invoice, details: Details, day: date) -> date | None:
    return max(earliest(invoice, details), day) if invoice.since is None and invoice.open else None


def zone_key(account: Account) -> str:
    """Return the zone under which the index files the account; empty while it is unknown."""
    details = account.details
    return keys.zone_key(details.time_zone, details.company_id) if details is not None else ""
