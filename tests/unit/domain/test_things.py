"""What is known of cards, jobs and usage (DOMAIN.md, sections 2 and 3)."""

from datetime import date
from typing import Any

import pytest

from app.domain.apply import apply
from app.domain.book import Book, new_book
from app.domain.card import Card, last_of_month, months_before
from tests.builders import Event, a_fact, account_event, an_event, at

NOON, ONE, TWO = (f"2026-06-01 {hour}:00" for hour in (12, 13, 14))


def after(*events: Event) -> Book:
    book = new_book("a1", 0)
    for event in events:
        book = apply(book, a_fact(event))
    return book


def stored(time: str = NOON, kind: str = "updated", **data: Any) -> Event:
    said: dict[str, Any] = {"card_id": "c1", "brand": "visa", "last4": "4242", "expires": "2026-08", "autopay": True}
    return an_event(f"billing.card.{kind}", time, **(said | data))


def card(*events: Event) -> Card:
    return after(account_event(NOON), *events).cards["c1"]


@pytest.mark.parametrize(
    ("first", "then", "since"),
    [
        ({}, {"last4": "1111", "brand": "amex"}, NOON),
        ({}, {"autopay": False}, NOON),
        ({}, {"expires": "2028-08"}, ONE),
        ({"autopay": False}, {}, ONE),
    ],
)
def test_a_card_s_time_begins_anew_when_it_is_set_to_autopay_or_expires_another_day(
    first: dict[str, Any], then: dict[str, Any], since: str
) -> None:
    assert card(stored(**first), stored(ONE, **then)).since == at(since)


def test_a_card_that_a_snapshot_brings_is_silent_until_it_is_told_of_anew() -> None:
    imported = stored(kind="snapshot")
    assert card(imported).silent
    assert card(imported, stored(ONE, last4="1111")).silent
    assert not card(imported, stored(ONE, expires="2028-08")).silent
    assert not card(stored(), stored(ONE, kind="snapshot")).silent


@pytest.mark.parametrize(("kind", "silent"), [("updated", False), ("snapshot", True)])
def test_a_card_stored_before_its_account_counts_as_stored_at_the_account_s_first_event(
    kind: str, *, silent: bool
) -> None:
    found = after(stored(), account_event(ONE, kind=kind), account_event(TWO)).cards["c1"]
    assert (found.since, found.silent) == (at(ONE), silent)


def test_an_account_s_first_event_that_is_older_than_its_card_makes_the_card_no_older() -> None:
    assert after(stored(ONE), account_event(NOON)).cards["c1"].since == at(ONE)


def test_a_removed_card_is_stored_no_more_and_the_others_stay() -> None:
    removed = an_event("billing.card.removed", ONE, card_id="c1")
    assert set(after(account_event(NOON), stored(), stored(card_id="c2"), removed).cards) == {"c2"}
    assert after(account_event(NOON), removed).cards == {}


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2026, 8, 31), 6, date(2026, 2, 28)),
        (date(2028, 8, 31), 6, date(2028, 2, 29)),
        (date(2026, 11, 30), 1, date(2026, 10, 30)),
        (date(2026, 1, 31), 1, date(2025, 12, 31)),
        (date(2026, 12, 31), 12, date(2025, 12, 31)),
    ],
)
def test_months_before_a_day_are_clipped_to_the_month_s_end(day: date, months: int, expected: date) -> None:
    assert months_before(day, months) == expected


def test_a_month_beyond_the_calendar_ends_with_the_calendar() -> None:
    assert last_of_month(9999, 12 + 3) == date(9999, 12, 31)
    assert last_of_month(1, 1 - 2) == date(1, 1, 31)


def test_an_unscheduled_job_keeps_its_last_start_and_one_that_is_not_known_stays_unknown() -> None:
    times: dict[str, Any] = {"starts_at": "2026-06-10T09:00:00Z", "ends_at": "2026-06-10T10:00:00Z"}
    planned = an_event(
        "jobs.job.scheduled", NOON, job_id="j1", job_type="install", technician={"id": "t", "name": "Tom"}, **times
    )
    off = [an_event("jobs.job.unscheduled", ONE, job_id=job_id) for job_id in ("j1", "j2")]
    jobs = after(account_event(NOON), planned, *off).jobs
    assert [(job.job_id, job.scheduled, job.starts_at) for job in jobs.values()] == [
        ("j1", False, at("2026-06-10T09:00:00Z"))
    ]


def recorded(used: int, cap: int = 100, cycle: str = "2026-06-01", time: str = NOON) -> Event:
    data: dict[str, Any] = {"cycle_start": cycle, "cycle_end": "2026-08-01", "used_bytes": used, "cap_bytes": cap}
    return an_event("billing.usage.recorded", time, policy_id="u", **data)


@pytest.mark.parametrize(
    ("records", "cycle", "percent", "peak"),
    [
        ([recorded(79), recorded(60)], 6, 60, 79),
        ([recorded(79), recorded(7, cycle="2026-07-01")], 7, 7, 7),
        ([recorded(7, cycle="2026-07-01"), recorded(79)], 7, 7, 7),
        ([recorded(799, 1000)], 6, 79, 79),
        ([recorded(5, 0)], 6, 0, 0),
    ],
)
def test_usage_is_the_latest_record_of_the_newest_cycle_and_its_peak(
    records: list[Event], cycle: int, percent: int, peak: int
) -> None:
    usage = after(account_event(NOON), *records).usages["u"]
    assert (usage.cycle_start.month, usage.percent, usage.peak) == (cycle, percent, peak)
