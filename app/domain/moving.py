"""In which zone an account's clock runs, and what it does when that changes (DOMAIN.md, section 4, Days)."""

from msgspec.structs import replace

from app.contract.instants import Instant
from app.domain.book import Book
from app.domain.calendar import LocalClock
from app.domain.companies import Company


def in_zone(book: Book, company: Company, at: Instant) -> Book:
    """Return the book whose clock runs in the account's zone, else the company's, from `at` on."""
    account = book.account
    if book.company_id is None:
        return book
    zone = _own(book) or company.zone_at(at)
    if account.clock is not None and account.clock.zone == zone:
        return book
    clock = LocalClock(zone) if account.clock is None else account.clock.moved(zone, at)
    return replace(book, account=replace(account, clock=clock))


def followed(book: Book, company: Company) -> Book:
    """Return the book whose clock has made its company's changes of zone so far, each at its own instant."""
    account = book.account
    clock = account.clock
    if clock is None or not company.earlier or _own(book):
        return book
    for each in company.earlier:
        if each.zone == clock.zone and clock.since < each.until <= account.done:
            clock = clock.moved(company.zone_at(each.until), each.until)
    return book if clock is account.clock else replace(book, account=replace(account, clock=clock))


def next_move(book: Book, company: Company, before: Instant) -> Instant:
    """Return when, after the account's clock and before `before`, its company next changes its zone; else `before`."""
    if not company.earlier or _own(book):
        return before
    return min(company.moves(book.account.done + 1, before), default=before)


def _own(book: Book) -> str | None:
    details = book.account.details
    return details.time_zone if details is not None else None
