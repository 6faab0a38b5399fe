"""The parts of delinquency by themselves (DOMAIN.md, section 3.2); its course is tested with the heart."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from app.domain.account import Episode
from app.domain.book import new_book
from app.domain.companies import Exclusion
from app.domain.delinquency import (
    HORIZON,
    filed,
    next_flip,
    projected,
    settle,
    settle_silently,
    zone_key,
)
from tests.builders import a_book, a_company, an_account, an_invoice, at, some_details

ACME = a_company()
TODAY = date(2026, 6, 1)
UNKNOWN = replace(new_book("a1", at("2026-06-01 00:00")), invoices={"i1": an_invoice()})


def test_an_unknown_account_s_invoices_are_not_moved_in() -> None:
    assert next_flip(UNKNOWN, ACME, at("2026-07-01 00:00")) is None
    assert settle(UNKNOWN, ACME, at("2026-06-20 12:00")) is UNKNOWN
    assert settle_silently(UNKNOWN, ACME, at("2026-06-20 12:00")) is UNKNOWN
    assert projected(UNKNOWN, an_invoice(), ACME, TODAY) is None
    assert filed(UNKNOWN, TODAY) is UNKNOWN
    assert zone_key(UNKNOWN.account) == ""


def test_what_is_delinquent_or_not_open_has_no_projected_date() -> None:
    assert projected(a_book(), an_invoice(since=TODAY), ACME, TODAY) is None
    assert projected(a_book(), an_invoice(status="paid"), ACME, TODAY) is None
    assert projected(a_book(), an_invoice(), ACME, TODAY) == date(2026, 6, 15)


def test_the_next_flip_is_the_earliest_of_all_invoices() -> None:
    book = a_book(an_invoice("i1"), an_invoice("i2", due_on=date(2026, 6, 5)), an_invoice("i3", status="void"))
    assert next_flip(book, ACME, at("2026-07-01 00:00")) == at("2026-06-10 00:00")
    assert next_flip(a_book(), ACME, at("2026-07-01 00:00")) is None


def test_an_invoice_that_should_be_in_by_now_is_moved_in_at_the_next_midnight() -> None:
    """As when an exclusion is taken out of the configuration in the course of its day."""
    book = a_book(an_invoice(due_on=date(2026, 5, 20)), account=an_account(done=at("2026-06-01 12:00")))
    assert next_flip(book, ACME, at("2026-07-01 00:00")) == at("2026-06-02 00:00")


@given(
    excluded=st.sets(st.integers(0, 6)),
    checked=st.none() | st.sets(st.integers(0, 6)),
    grace=st.integers(0, 40),
    override=st.none() | st.integers(-10, 60),
)
def test_the_projected_date_is_the_first_allowed_day_on_or_after_nominal_date_and_override(
    excluded: set[int], checked: set[int] | None, grace: int, override: int | None
) -> None:
    company = a_company(exclusions=tuple(Exclusion(weekday=day) for day in excluded))
    grace_until = None if override is None else TODAY + timedelta(days=override)
    details = some_details(grace_until=grace_until, check_weekdays=None if checked is None else tuple(sorted(checked)))
    invoice = an_invoice(grace_days=grace)
    allowed = set(range(7)) - excluded if checked is None else checked - excluded
    first = max(invoice.due_on + timedelta(days=max(1, grace)), grace_until or date.min)
    week = [first + timedelta(days=n) for n in range(7)]
    expected = next((day for day in week if day.weekday() in allowed), None)
    assert projected(a_book(invoice, account=an_account(details=details)), invoice, company, TODAY) == expected


def test_beyond_the_horizon_no_date_is_in_sight() -> None:
    first = date(2026, 6, 15)
    days = [first + timedelta(days=n) for n in range(HORIZON.days + 1)]
    company = a_company(exclusions=tuple(Exclusion(day=day.day, month=day.month, year=day.year) for day in days))
    assert projected(a_book(an_invoice()), an_invoice(), company, TODAY) is None
    assert projected(a_book(an_invoice()), an_invoice(), company, TODAY + timedelta(days=60)) == days[-1] + timedelta(1)


def test_settling_twice_changes_nothing_the_second_time() -> None:
    once = settle(a_book(an_invoice()), ACME, at("2026-06-20 12:00"))
    assert once.account.episode == Episode(date(2026, 6, 20), at("2026-06-20 12:00"))
    assert settle(once, ACME, at("2026-06-20 12:00")) is once
    assert settle_silently(once, ACME, at("2026-06-20 12:00")) is once


def test_the_index_files_an_invoice_under_the_first_day_it_may_be_moved_in() -> None:
    book = a_book(an_invoice("i1"), an_invoice("i2", status="paid"), an_invoice("i3", due_on=date(2026, 5, 1)))
    ready = [invoice.ready_on for invoice in book.invoices.values()]
    assert ready == [date(2026, 6, 15), None, TODAY]
    assert filed(book, TODAY) is book


def test_the_index_files_an_account_under_its_own_zone_or_its_company() -> None:
    assert zone_key(an_account()) == "company:acme"
    assert zone_key(an_account(details=some_details(time_zone="Asia/Tokyo"))) == "Asia/Tokyo"


def test_check_weekdays_and_a_minimum_make_an_account_irregular() -> None:
    for fields in ({"check_weekdays": (0,)}, {"minimum_amount": 5, "minimum_currency": "USD"}):
        book = a_book(an_invoice(), account=an_account(details=some_details(**fields)))
        assert book.invoices["i1"].irregular
    assert not a_book(an_invoice()).invoices["i1"].irregular
