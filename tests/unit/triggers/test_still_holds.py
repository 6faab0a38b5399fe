"""What still holds, without the day count, when a decision is late, released or stale (DOMAIN.md, section 4)."""

from datetime import date
from typing import Any

import pytest
from msgspec.structs import replace

from app.contract.instants import HOUR
from app.domain.account import Episode
from app.domain.book import Book
from app.domain.card import Card
from app.domain.invoice import Invoice
from app.domain.job import Job
from app.domain.occasion import Occasion
from app.domain.usage import Usage
from app.triggers import REGISTRY
from app.triggers.base import Present
from tests.builders import a_book, a_company, a_rule, an_account, an_invoice, an_occasion, at

NOW = at("2026-06-12 12:00")
SINCE = date(2026, 6, 15)


def present(book: Book, today: date = date(2026, 6, 12)) -> Present:
    return Present(book, a_company(), today, NOW)


def of_invoice(trigger: str, subject: str, x: int | None = 2, **fields: Any) -> Occasion:
    return an_occasion(a_rule(trigger, x=x, **fields), subject, about="i1")


def holds(occasion: Occasion, book: Book, today: date = date(2026, 6, 12)) -> bool:
    return REGISTRY[occasion.trigger].holds(present(book, today), occasion)


@pytest.mark.parametrize(
    ("invoice", "today", "expected"),
    [
        (an_invoice(), date(2026, 6, 10), True),
        (an_invoice(), date(2026, 6, 11), False),
        (an_invoice(due_on=date(2026, 6, 20)), date(2026, 6, 10), False),
        (an_invoice(balance=0), date(2026, 6, 10), False),
        (an_invoice("i2"), date(2026, 6, 10), False),
    ],
)
def test_due_in_days_open_same_due_date_today_not_after_it(invoice: Invoice, today: date, *, expected: bool) -> None:
    assert holds(of_invoice("invoice_due_in_days", "invoice:i1:2026-06-10:2"), a_book(invoice), today) is expected


@pytest.mark.parametrize(
    ("invoice", "expected"),
    [
        (an_invoice(), True),
        (an_invoice(due_on=date(2026, 6, 9)), False),
        (an_invoice(status="void"), False),
    ],
)
def test_past_due_open_same_due_date(invoice: Invoice, *, expected: bool) -> None:
    occasion = of_invoice("invoice_past_due_for_days", "invoice:i1:2026-06-10:2")
    assert holds(occasion, a_book(invoice), date(2026, 7, 30)) is expected


@pytest.mark.parametrize(
    ("invoice", "expected"),
    [
        (an_invoice(since=SINCE), True),
        (an_invoice(since=date(2026, 6, 16)), False),
        (an_invoice(), False),
        (an_invoice("i2", since=SINCE), False),
    ],
)
def test_delinquent_for_days_same_since(invoice: Invoice, *, expected: bool) -> None:
    assert holds(of_invoice("invoice_delinquent_for_days", "invoice:i1:2026-06-15:2"), a_book(invoice)) is expected
    per_invoice = of_invoice("account_becomes_delinquent", "invoice:i1:2026-06-15", None, per="invoice")
    assert holds(per_invoice, a_book(invoice)) is expected


@pytest.mark.parametrize(
    ("episode", "expected"), [(Episode(SINCE, 0), True), (Episode(date(2026, 6, 16), 0), False), (None, False)]
)
def test_an_account_becomes_delinquent_same_episode(episode: Episode | None, *, expected: bool) -> None:
    occasion = an_occasion(a_rule("account_becomes_delinquent"), "account:a1:2026-06-15")
    assert holds(occasion, a_book(account=an_account(episode=episode))) is expected


@pytest.mark.parametrize(
    ("invoice", "today", "expected"),
    [
        (an_invoice(), date(2026, 6, 14), True),
        (an_invoice(), date(2026, 6, 15), False),
        (an_invoice(grace_days=6), date(2026, 6, 14), False),
        (an_invoice(since=SINCE), date(2026, 6, 14), False),
        (an_invoice("i2"), date(2026, 6, 14), False),
    ],
)
def test_becomes_delinquent_in_days_same_projected_date_still_ahead(
    invoice: Invoice, today: date, *, expected: bool
) -> None:
    occasion = of_invoice("invoice_becomes_delinquent_in_days", "invoice:i1:2026-06-15:2")
    assert holds(occasion, a_book(invoice), today) is expected


CARD = Card("c1", "visa", "4242", "2026-08", autopay=True, since=0)


@pytest.mark.parametrize(
    ("card", "today", "expected"),
    [
        (CARD, date(2026, 8, 31), True),
        (CARD, date(2026, 9, 1), False),
        (replace(CARD, autopay=False), date(2026, 6, 12), False),
        (replace(CARD, expires="2028-08"), date(2026, 6, 12), False),
        (None, date(2026, 6, 12), False),
    ],
)
def test_a_card_stored_autopay_same_expiry_not_past(card: Card | None, today: date, *, expected: bool) -> None:
    occasion = an_occasion(a_rule("credit_card_expiring", x=2), "card:c1:2026-08:2", about="c1")
    book = replace(a_book(), cards={card.card_id: card} if card else {})
    assert holds(occasion, book, today) is expected


JOB = Job("j1", "install", NOW + HOUR, NOW + 2 * HOUR, "Tom")


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (JOB, True),
        (replace(JOB, starts_at=NOW), False),
        (replace(JOB, starts_at=NOW + 2 * HOUR), False),
        (replace(JOB, scheduled=False), False),
        (None, False),
    ],
)
def test_a_job_this_start_still_ahead(job: Job | None, *, expected: bool) -> None:
    occasion = an_occasion(a_rule("job_scheduled"), "job:j1:20260612T170000Z:jobs:e1", about="j1")
    assert holds(occasion, replace(a_book(), jobs={"j1": job} if job else {})) is expected


USAGE = Usage("u1", date(2026, 6, 1), date(2026, 7, 1), 80, 100)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (USAGE, True),
        (replace(USAGE, used_bytes=79), False),
        (replace(USAGE, cap_bytes=101), False),
        (replace(USAGE, cap_bytes=0), False),
        (replace(USAGE, cycle_start=date(2026, 7, 1)), False),
        (None, False),
    ],
)
def test_usage_same_cycle_latest_record_at_x_percent_or_more(usage: Usage | None, *, expected: bool) -> None:
    occasion = an_occasion(a_rule("usage_reaches_percent", x=80), "usage:u1:2026-06-01:80", about="u1")
    assert holds(occasion, replace(a_book(), usages={"u1": usage} if usage else {})) is expected


@pytest.mark.parametrize(
    ("invoice", "expected"),
    [
        (an_invoice(), True),
        (an_invoice(status="paid", balance=0), True),
        (an_invoice(status="void"), False),
        (an_invoice("i2"), False),
    ],
)
def test_an_initial_invoice_not_void(invoice: Invoice, *, expected: bool) -> None:
    assert holds(an_occasion(a_rule("initial_invoice"), "account:a1", about="i1"), a_book(invoice)) is expected


def test_all_others_are_facts_that_cannot_un_happen() -> None:
    conditional = {
        "account_becomes_delinquent",
        "credit_card_expiring",
        "initial_invoice",
        "invoice_becomes_delinquent_in_days",
        "invoice_delinquent_for_days",
        "invoice_due_in_days",
        "invoice_past_due_for_days",
        "job_scheduled",
        "usage_reaches_percent",
    }
    others = set(REGISTRY) - conditional
    assert all(holds(an_occasion(a_rule(trigger), "s"), a_book()) for trigger in others)
    assert len(others) == 14
