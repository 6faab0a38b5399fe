"""The parts of delinquency by themselves (DOMAIN.md, section 3.2); its course is tested with the heart."""

from datetime import date, timedelta

import pytest
from msgspec.structs import replace

from app.domain.account import Account, Episode
from app.domain.book import Book, new_book
from app.domain.card import Card
from app.domain.companies import Exclusion
from app.domain.delinquency import filed, next_flip, projected, settle, settle_silently, zone_key
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


@pytest.mark.parametrize("account", [an_account(details=None), an_account(clock=None)])
def test_without_its_details_or_its_clock_an_account_s_invoices_are_left_alone(account: Account) -> None:
    book = Book(account, {"i1": an_invoice("i1"), "i2": an_invoice("i2", since=TODAY)})
    assert settle(book, ACME, at("2026-06-20 12:00")) is book
    assert settle_silently(book, ACME, at("2026-06-20 12:00")) is book


def test_what_is_delinquent_or_not_open_has_no_projected_date() -> None:
    assert projected(a_book(), an_invoice(since=TODAY), ACME, TODAY) is None
    assert projected(a_book(), an_invoice(status="paid"), ACME, TODAY) is None
    assert projected(a_book(), an_invoice(), ACME, TODAY) == date(2026, 6, 15)


def test_the_next_flip_is_the_earliest_of_all_invoices() -> None:
    book = a_book(an_invoice("i1"), an_invoice("i2", due_on=date(2026, 6, 5)), an_invoice("i3", status="void"))
    assert next_flip(book, ACME, at("2026-07-01 00:00")) == at("2026-06-10 00:00")
    assert next_flip(a_book(), ACME, at("2026-07-01 00:00")) is None


def test_a_midnight_at_which_the_account_s_clock_stands_is_yet_to_come() -> None:
    book = a_book(an_invoice(), account=an_account(done=at("2026-06-15 00:00")))
    assert next_flip(book, ACME, at("2026-07-01 00:00")) == at("2026-06-15 00:00")


def test_below_the_minimum_an_invoice_waits_for_the_next_one_s_nominal_date() -> None:
    details = some_details(minimum_amount=6000, minimum_currency="USD")
    others = [an_invoice(f"i{day}", due_on=date(2026, 6, day), currency="USD") for day in (20, 22)]
    book = a_book(an_invoice(), *others, account=an_account(details=details))
    assert projected(book, an_invoice(), ACME, TODAY) == date(2026, 6, 25)


def test_nothing_is_looked_for_beyond_the_day_that_is_asked_about() -> None:
    book = a_book(an_invoice())
    assert next_flip(book, ACME, at("2026-06-14 23:59")) is None
    assert next_flip(book, ACME, at("2026-06-15 00:01")) == at("2026-06-15 00:00")


def test_an_invoice_that_should_be_in_by_now_is_moved_in_at_the_next_midnight() -> None:
    """As when an exclusion is taken out of the configuration in the course of its day."""
    book = a_book(an_invoice(due_on=date(2026, 5, 20)), account=an_account(done=at("2026-06-01 12:00")))
    assert next_flip(book, ACME, at("2026-07-01 00:00")) == at("2026-06-02 00:00")


@pytest.mark.parametrize(("excluded", "today", "ahead"), [(400, 1, 400), (401, 1, None), (401, 16, 401)])
def test_a_date_is_in_sight_if_it_is_no_more_than_400_days_ahead(excluded: int, today: int, ahead: int | None) -> None:
    """Of nominal date, 15 June, or today."""
    first = date(2026, 6, 15)
    days = [first + timedelta(days=n) for n in range(excluded)]
    company = a_company(exclusions=tuple(Exclusion(day=day.day, month=day.month, year=day.year) for day in days))
    expected = None if ahead is None else first + timedelta(days=ahead)
    assert projected(a_book(an_invoice()), an_invoice(), company, date(2026, 6, today)) == expected


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


@pytest.mark.parametrize("time_zone", ["America/New_York", "Europe/Berlin", None])
def test_a_card_is_filed_under_its_account_s_zone(time_zone: str | None) -> None:
    cards = {
        zone: Card(zone, "visa", "4242", "2026-08", autopay=True, since=0, zone_key=zone)
        for zone in ("", "Europe/Berlin", "company:acme")
    }
    account = an_account(details=some_details(time_zone=time_zone))
    after = filed(Book(account, cards=cards), TODAY)
    for zone, card in cards.items():
        assert after.cards[zone] == replace(card, zone_key=time_zone or "company:acme")
        assert (after.cards[zone] is card) == (zone == (time_zone or "company:acme"))
    assert filed(after, TODAY) is after


def test_check_weekdays_and_a_minimum_make_an_account_irregular() -> None:
    for fields in ({"check_weekdays": (0,)}, {"minimum_amount": 5, "minimum_currency": "USD"}):
        book = a_book(an_invoice(), account=an_account(details=some_details(**fields)))
        assert book.invoices["i1"].irregular
        regular = replace(book, account=an_account())
        assert not filed(regular, TODAY).invoices["i1"].irregular
    assert not a_book(an_invoice()).invoices["i1"].irregular
