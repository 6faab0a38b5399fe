"""What a rule's `when` lets pass (DOMAIN.md, section 5)."""

from typing import Any

import pytest

from app.domain.filters import only_company, passes
from app.domain.rules import Filters
from tests.builders import a_book, a_rule, an_account, an_invoice, an_occasion, some_details

RULE = a_rule(x=1)
OF_INVOICE, OF_ACCOUNT = "invoice:i1:2026-06-10:1", "account:a1"
KNOWN: dict[str, Any] = {"account_type": "residential", "groups": ("rural", "island"), "autopay": True}


def lets_pass(when: Filters, subject: str = OF_INVOICE, facts: dict[str, Any] | None = None, **details: Any) -> bool:
    invoices = an_invoice(balance=300), an_invoice("i2", balance=200), an_invoice("i3", balance=900, currency="EUR")
    book = a_book(*invoices, account=an_account(details=some_details(**(KNOWN | details))))
    return passes(when, book, an_occasion(RULE, subject, about="i1", facts=facts))


@pytest.mark.parametrize(
    ("when", "otherwise"),
    [
        (Filters(company=("beta", "acme")), {"company_id": "gamma"}),
        (Filters(account_type=("residential",)), {"account_type": "Residential"}),
        (Filters(account_type=("residential",)), {"account_type": None}),
        (Filters(account_status=("Active", "Suspended")), {"status": "active"}),
        (Filters(account_group=("city", "rural")), {"groups": ()}),
        (Filters(autopay=True), {"autopay": False}),
        (Filters(include_child_accounts=False), {"parent_account_id": "p"}),
    ],
)
def test_a_filter_lets_pass_what_it_names_and_nothing_else(when: Filters, otherwise: dict[str, Any]) -> None:
    assert lets_pass(when)
    assert not lets_pass(when, **otherwise)


def test_all_that_is_asked_for_must_hold() -> None:
    assert not lets_pass(Filters(company=("acme",), account_type=("business",)))


def test_without_filters_everything_passes() -> None:
    assert lets_pass(Filters(), autopay=False, parent_account_id="p")


@pytest.mark.parametrize(("subject", "most"), [(OF_INVOICE, 300), (OF_ACCOUNT, 500)])
def test_the_minimum_balance_is_the_invoice_s_where_the_subject_names_one_else_the_account_s(
    subject: str, most: int
) -> None:
    assert lets_pass(Filters(minimum_amount=most, minimum_currency="USD"), subject)
    assert not lets_pass(Filters(minimum_amount=most + 1, minimum_currency="USD"), subject)


def test_a_balance_in_another_currency_does_not_count() -> None:
    assert not lets_pass(Filters(minimum_amount=0, minimum_currency="EUR"))
    assert lets_pass(Filters(minimum_amount=900, minimum_currency="EUR"), OF_ACCOUNT)


@pytest.mark.parametrize(("least", "expected"), [(0, True), (1, False)])
def test_an_account_with_nothing_open_owes_nothing_in_any_currency(least: int, *, expected: bool) -> None:
    paid = an_invoice(balance=0, status="paid")
    for book in (a_book(account=an_account()), a_book(paid, account=an_account())):
        for currency in ("USD", "JPY"):
            when = Filters(minimum_amount=least, minimum_currency=currency)
            assert passes(when, book, an_occasion(RULE, OF_ACCOUNT)) is expected


def test_what_is_open_in_another_currency_alone_reaches_no_minimum() -> None:
    assert not lets_pass(Filters(minimum_amount=0, minimum_currency="JPY"), OF_ACCOUNT)


def test_an_invoice_that_is_not_known_has_no_balance() -> None:
    when = Filters(minimum_amount=0, minimum_currency="USD")
    assert not passes(when, a_book(), an_occasion(RULE, OF_INVOICE, about="i1"))


def test_the_job_s_type_is_the_one_that_the_event_told() -> None:
    when = Filters(job_type=("install",))
    assert lets_pass(when, "job:j1", {"job_type": "install"})
    assert not lets_pass(when, "job:j1", {"job_type": "repair"})
    assert not lets_pass(when, "job:j1")


def test_of_a_login_nothing_is_known_but_the_company() -> None:
    assert only_company(Filters(company=("acme",)))
    assert not only_company(Filters(company=("acme",), autopay=False))
    login = a_book(account=an_account(details=None, clock=None))
    assert not passes(Filters(company=("acme",), autopay=False), login, an_occasion(RULE))
