"""Flips and projected dates of made-up accounts, against section 3.2 of DOMAIN.md taken day by day."""

from collections.abc import Iterator
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from app.contract.instants import DAY, Instant
from app.domain.account import Details, Episode
from app.domain.book import Book
from app.domain.calendar import LocalClock
from app.domain.companies import Company, Exclusion
from app.domain.delinquency import filed, next_flip, projected, settle, settle_silently
from app.domain.invoice import Invoice
from tests.builders import NEW_YORK, a_company, an_account, an_invoice, at, some_details

TODAY = date(2026, 6, 10)
MIDNIGHT = at("2026-06-10 00:00")
NOON = at("2026-06-10 12:00")
LAST = TODAY + timedelta(days=40)
"""By then all that the accounts made up here owe is past its nominal date, and each weekday has come since."""


def near(least: int, most: int) -> st.SearchStrategy[date]:
    return st.integers(least, most).map(lambda days: TODAY + timedelta(days=days))


FLIPPED = st.fixed_dictionaries(
    {
        "since": near(-9, 0),
        "flipped_at": st.integers(-9, -1).map(lambda days: NOON + days * DAY),
        "silent": st.booleans(),
    }
)
FILED = {
    "ready_on": st.none() | near(-1, 1),
    "zone_key": st.sampled_from(("", NEW_YORK, "company:acme", "company:zeta")),
    "irregular": st.booleans(),
}
INVOICES = st.builds(
    lambda flipped, fields: an_invoice(**(fields | flipped)),
    st.sampled_from(({}, {}, {}, None)).flatmap(lambda fields: FLIPPED if fields is None else st.just(fields)),
    st.fixed_dictionaries(
        {
            "due_on": near(-12, 12),
            "grace_days": st.integers(0, 6),
            "currency": st.sampled_from(("CHF", "EUR", "EUR", "USD")),
            "balance": st.sampled_from((10, 20, 30, 40, 0, -30)),
            "status": st.sampled_from(("open", "open", "open", "open", "paid")),
            **FILED,
        }
    ),
)
WEEKDAYS = st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days)))
MINIMUM = st.sampled_from(
    [
        {"minimum_amount": amount, "minimum_currency": currency}
        for amount, currency in ((None, None), (30, "EUR"), (50, "EUR"), (30, "USD"))
    ]
)
COMPANIES = st.builds(
    lambda weekdays, days: a_company(
        exclusions=(*(Exclusion(weekday=n) for n in weekdays), *(Exclusion(day=d.day, month=d.month) for d in days))
    ),
    st.sets(st.integers(0, 6), max_size=2),
    st.sets(near(-5, 15), max_size=3),
)


@st.composite
def books(draw: st.DrawFn) -> Book:
    """A known account, whose day is TODAY; an episode runs if one of its invoices is delinquent."""
    invoices = {f"i{n}": each for n, each in enumerate(draw(st.lists(INVOICES, min_size=2, max_size=5)))}
    since = [each.since for each in invoices.values() if each.since is not None]
    fields = {
        "grace_until": draw(st.none() | near(-9, 9)),
        "check_weekdays": draw(st.none() | WEEKDAYS),
        **draw(MINIMUM),
    }
    account = an_account(
        details=some_details(**fields, time_zone=draw(st.sampled_from((None, NEW_YORK)))),
        done=draw(st.sampled_from((MIDNIGHT, NOON))),
        episode=Episode(min(since), NOON - DAY, draw(st.booleans())) if since else None,
    )
    return Book(account, {key: replace(each, invoice_id=key) for key, each in invoices.items()})


def known(book: Book) -> Details:
    assert book.account.details is not None
    return book.account.details


def nominal(invoice: Invoice) -> date:
    return invoice.due_on + timedelta(days=max(1, invoice.grace_days))


def earliest(book: Book, invoice: Invoice) -> date:
    return max(nominal(invoice), known(book).grace_until or date.min)


def is_open(invoice: Invoice) -> bool:
    return invoice.status == "open" and invoice.balance > 0


def may_flip(book: Book, invoice: Invoice, company: Company, day: date) -> bool:
    """Whether the open invoice may be moved in on this day."""
    details = known(book)
    excluded = any(
        each.weekday == day.weekday() or (each.month, each.day) == (day.month, day.day) for each in company.exclusions
    )
    checked = details.check_weekdays is None or day.weekday() in details.check_weekdays
    owed = [
        i.balance for i in book.invoices.values() if i.currency == invoice.currency and is_open(i) and nominal(i) <= day
    ]
    minimum = details.minimum_amount if details.minimum_currency == invoice.currency else None
    return day >= earliest(book, invoice) and checked and not excluded and sum(owed) >= (minimum or 0)


def days_from(day: date) -> Iterator[date]:
    return (day + timedelta(days=n) for n in range((LAST - day).days))


def first_flip(book: Book, invoice: Invoice, company: Company, today: date) -> date | None:
    if not is_open(invoice) or invoice.since is not None:
        return None
    return next((day for day in days_from(today) if may_flip(book, invoice, company, day)), None)


def moved_out(book: Book, invoice: Invoice) -> Invoice:
    ended = invoice.since is not None and (not is_open(invoice) or earliest(book, invoice) > TODAY)
    return replace(invoice, since=None, flipped_at=None, silent=False) if ended else invoice


def with_invoices(book: Book, invoices: dict[str, Invoice], *, silent: bool) -> Book:
    """The book with these, its episode begun or ended at noon TODAY."""
    since = [each.since for each in invoices.values() if each.since is not None]
    began = Episode(min(since) if silent else TODAY, NOON, silent) if since else None
    episode = (book.account.episode or began) if since else None
    return replace(book, invoices=invoices, account=replace(book.account, episode=episode))


@given(book=books(), company=COMPANIES, today=near(-30, 10))
def test_the_projected_date_is_the_first_day_on_which_the_invoice_may_be_moved_in(
    book: Book, company: Company, today: date
) -> None:
    for invoice in book.invoices.values():
        expected = first_flip(book, invoice, company, max(today, earliest(book, invoice)))
        assert projected(book, invoice, company, today) == expected


@given(book=books(), company=COMPANIES)
def test_an_instant_moves_in_and_out_what_its_day_calls_for(book: Book, company: Company) -> None:
    out = {key: moved_out(book, each) for key, each in book.invoices.items()}
    expected = {
        key: replace(each, since=TODAY, flipped_at=NOON) if first_flip(book, each, company, TODAY) == TODAY else each
        for key, each in out.items()
    }
    assert settle(book, company, NOON) == with_invoices(book, expected, silent=False)


@given(book=books(), company=COMPANIES)
def test_a_snapshot_moves_in_silently_since_the_day_that_the_facts_compute(book: Book, company: Company) -> None:
    out = {key: moved_out(book, each) for key, each in book.invoices.items()}
    computed = {key: first_flip(book, each, company, earliest(book, each)) for key, each in out.items()}
    expected = {
        key: replace(out[key], since=day, flipped_at=NOON, silent=True)
        if day is not None and day <= TODAY
        else out[key]
        for key, day in computed.items()
    }
    assert settle_silently(book, company, NOON) == with_invoices(book, expected, silent=True)


@given(
    book=books(),
    company=COMPANIES,
    clock=st.sampled_from((LocalClock(NEW_YORK), LocalClock("Asia/Tokyo").moved(NEW_YORK, MIDNIGHT + DAY // 4))),
    end=st.integers(-1, 30).map(lambda days: MIDNIGHT + days * DAY),
)
def test_the_next_flip_is_the_first_midnight_that_moves_an_invoice_in(
    book: Book, company: Company, clock: LocalClock, end: Instant
) -> None:
    done = max(book.account.done, clock.since)
    book = replace(book, account=replace(book.account, clock=clock, done=done))
    ready = [each for each in book.invoices.values() if is_open(each) and each.since is None]
    midnights = (
        clock.midnight(day)
        for day in days_from(TODAY)
        if clock.midnight(day) >= done and any(may_flip(book, each, company, day) for each in ready)
    )
    expected, found = next(midnights, None), next_flip(book, company, end)
    if expected is not None and expected < end:
        assert found == expected
    else:
        assert found is None or found >= end


@given(book=books(), day=near(-10, 30))
def test_the_index_files_what_is_open_and_not_delinquent_under_the_first_day_it_may_be_moved_in(
    book: Book, day: date
) -> None:
    details = known(book)
    zone = details.time_zone or "company:acme"
    irregular = details.check_weekdays is not None or details.minimum_amount is not None
    after = filed(book, day)
    for key, each in book.invoices.items():
        ready = max(earliest(book, each), day) if is_open(each) and each.since is None else None
        expected = replace(each, ready_on=ready, zone_key=zone, irregular=irregular)
        assert after.invoices[key] == expected
        assert (after.invoices[key] is each) == (each == expected)
    assert filed(after, day) is after
