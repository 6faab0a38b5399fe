"""What is true after a fact (DOMAIN.md, section 2, Whole or patch)."""

from datetime import date
from typing import Any

import pytest

from app.domain.account import Contact
from app.domain.apply import apply
from app.domain.book import Book, new_book
from app.domain.moving import in_zone
from tests.builders import (
    Event,
    a_book,
    a_company,
    a_fact,
    a_payment,
    account_event,
    an_event,
    at,
    invoice_event,
)

NOON = "2026-06-01 12:00"


def after(*events: Event) -> Book:
    book = new_book("a1", 0)
    for event in events:
        book = apply(book, a_fact(event))
    return book


def account(**contact: Any) -> Event:
    return account_event(NOON, contacts=[{"contact_id": "ann", "email": "ann@x.example"} | contact])


def prefers(**said: Any) -> Event:
    return an_event("portal.contact.preferences_changed", NOON, **({"contact_id": "ann"} | said))


def ann(*events: Event) -> Contact:
    details = after(*events).account.details
    assert details is not None
    return details.contacts[0]


def test_what_the_account_leaves_out_keeps_what_the_contact_last_said() -> None:
    contact = ann(account(categories=["financial"]), prefers(categories=["general"], email_opt_out=True), account())
    assert contact.categories == ("general",)
    assert contact.email_opt_out


def test_what_the_account_says_wins_and_ends_what_was_said_before() -> None:
    said = prefers(categories=["general"], sms_opt_in=True)
    contact = ann(account(), said, account(categories=["financial"]))
    assert contact.categories == ("financial",)
    assert contact.sms_opt_in
    assert ann(account(), said, account(categories=["financial"]), account()).categories == ()


def test_what_the_contact_says_last_wins() -> None:
    assert ann(account(email_opt_out=False), prefers(email_opt_out=True)).email_opt_out
    assert not ann(account(), prefers(email_opt_out=True), prefers(email_opt_out=False)).email_opt_out


def test_a_preference_says_nothing_of_what_it_leaves_out() -> None:
    contact = ann(account(categories=["financial"]), prefers(email_opt_out=True), prefers(sms_opt_in=True))
    assert (contact.categories, contact.email_opt_out, contact.sms_opt_in) == (("financial",), True, True)


def test_what_a_contact_says_before_its_account_is_known_counts_when_it_is() -> None:
    book = after(prefers(email_opt_out=True))
    assert book.account.details is None
    assert ann(prefers(email_opt_out=True), account()).email_opt_out


def test_a_contact_that_was_away_still_prefers_what_it_preferred() -> None:
    nobody = account_event(NOON, contacts=[])
    assert ann(account(), prefers(email_opt_out=True), nobody, account()).email_opt_out


def test_another_contact_s_preferences_are_its_own() -> None:
    assert not ann(account(), prefers(contact_id="bob", email_opt_out=True)).email_opt_out


def test_an_account_event_is_whole_so_that_what_it_leaves_out_is_empty() -> None:
    full = account_event(
        NOON,
        number="7",
        groups=["rural"],
        language="fr",
        autopay=True,
        grace_until="2026-07-01",
        delinquency={"check_weekdays": ["mon", "sun"], "minimum_amount": {"amount": 5, "currency": "EUR"}},
    )
    details = after(full).account.details
    assert details is not None
    assert (details.check_weekdays, details.minimum_amount, details.minimum_currency) == ((0, 6), 5, "EUR")
    assert details.grace_until == date(2026, 7, 1)
    assert after(full, account_event(NOON)).account.details == after(account_event(NOON)).account.details


def test_an_invoice_event_is_whole() -> None:
    full = invoice_event(NOON, pdf_url="https://x.example/i1.pdf", origin="manual", auto_pay_on="2026-06-09")
    assert after(full).invoices["i1"].origin == "manual"
    assert after(full, invoice_event(NOON, kind="updated")).invoices == after(invoice_event(NOON)).invoices


def test_an_event_that_says_nothing_of_account_or_invoice_changes_neither() -> None:
    book = a_book()
    assert apply(book, a_fact(a_payment(NOON))) is book


@pytest.mark.parametrize(("told", "kept"), [("9999-12-31", date(2999, 12, 31)), ("0001-01-01", date(1900, 1, 1))])
def test_dates_at_the_calendar_s_ends_are_brought_into_reach(told: str, kept: date) -> None:
    assert after(invoice_event(NOON, due_on=told)).invoices["i1"].due_on == kept


def test_an_unknown_account_has_no_clock() -> None:
    book = new_book("a1", 0)
    assert in_zone(book, a_company(), at(NOON)) is book


def test_a_company_s_other_zone_moves_the_clock_of_an_account_without_one() -> None:
    book = in_zone(a_book(), a_company(time_zone="Asia/Tokyo"), at(NOON))
    clock = book.account.clock
    assert clock is not None
    assert (clock.zone, clock.since) == ("Asia/Tokyo", at(NOON))
    assert in_zone(book, a_company(time_zone="Asia/Tokyo"), at(NOON)) is book


@pytest.mark.parametrize(("told", "parent"), [("p1", "p1"), ("", None), (None, None)])
def test_an_account_without_a_parent_may_say_so_with_nothing_or_with_an_empty_one(
    told: str | None, parent: str | None
) -> None:
    details = after(account_event(NOON, parent_account_id=told)).account.details
    assert details is not None
    assert details.parent_account_id == parent
