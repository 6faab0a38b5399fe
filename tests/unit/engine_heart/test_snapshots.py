"""Imports, through `simulate` (DOMAIN.md, section 2, Imports)."""

from typing import Any

import pytest

from tests.builders import (
    Event,
    a_company,
    a_rule,
    a_rulebook,
    a_span,
    account_event,
    in_brief,
    invoice_event,
    simulated,
)

PAST = "invoice_past_due_for_days"
KNOWN = account_event("2026-05-20 12:00")
DELINQUENT = a_rulebook(a_rule("account_becomes_delinquent"), a_rule("invoice_delinquent_for_days", x=3))


def snapshot(time: str, **data: Any) -> Event:
    return invoice_event(time, kind="snapshot", **data)


def test_the_days_after_it_count() -> None:
    rules = a_rulebook(a_rule(PAST, x=1), a_rule(PAST, x=2))
    lines, _ = simulated([KNOWN, snapshot("2026-06-11 09:01")], rules)
    assert in_brief(lines) == ["invoice_past_due_for_days-2 invoice:i1:2026-06-10:2 06-12 09:00 sent"]


def test_it_starts_no_moment_at_its_own_instant() -> None:
    rules = a_rulebook(a_rule(PAST, x=1), a_rule(PAST, x=2))
    lines, _ = simulated([KNOWN, snapshot("2026-06-11 09:00")], rules)
    assert in_brief(lines) == ["invoice_past_due_for_days-2 invoice:i1:2026-06-10:2 06-12 09:00 sent"]


def test_nor_does_a_second_one_at_the_same_instant() -> None:
    events = [KNOWN, snapshot("2026-06-11 09:00"), snapshot("2026-06-11 09:00", invoice_id="i2")]
    assert simulated(events, a_rulebook(a_rule(PAST, x=1))) == ([], [])


def test_a_moment_that_holds_without_it_comes_up_at_its_instant() -> None:
    events = [KNOWN, invoice_event("2026-05-20 12:00"), snapshot("2026-06-11 09:00")]
    lines, _ = simulated(events, a_rulebook(a_rule(PAST, x=1)))
    assert len(lines) == 1


def test_a_moment_that_it_ends_does_not_come_up_at_its_instant() -> None:
    events = [KNOWN, invoice_event("2026-05-20 12:00"), snapshot("2026-06-11 09:00", status="paid", balance=0)]
    assert simulated(events, a_rulebook(a_rule(PAST, x=1))) == ([], [])


def test_one_older_than_the_clock_makes_nothing_come_up_and_its_days_count_from_the_clock() -> None:
    rules = a_rulebook(a_rule(PAST, x=1), a_rule(PAST, x=2), a_rule(PAST, x=3))
    lines, _ = simulated([KNOWN, account_event("2026-06-12 09:00"), snapshot("2026-06-10 12:00")], rules)
    assert in_brief(lines) == ["invoice_past_due_for_days-3 invoice:i1:2026-06-10:3 06-13 09:00 sent"]


def test_an_invoice_that_it_finds_delinquent_is_so_silently_since_its_computed_date() -> None:
    lines, _ = simulated([KNOWN, snapshot("2026-06-17 12:00")], DELINQUENT)
    assert in_brief(lines) == ["invoice_delinquent_for_days-3 invoice:i1:2026-06-15:3 06-18 09:00 sent"]


def test_the_computed_date_counts_exclusions_and_check_weekdays() -> None:
    """Nominal is Monday the 15th; only Wednesdays are checked."""
    account = account_event("2026-05-20 12:00", delinquency={"check_weekdays": ["wed"]})
    lines, _ = simulated([account, snapshot("2026-06-18 12:00")], DELINQUENT)
    assert in_brief(lines) == ["invoice_delinquent_for_days-3 invoice:i1:2026-06-17:3 06-20 09:00 sent"]


def test_not_yet_delinquent_by_it_the_invoice_is_moved_in_as_ever() -> None:
    lines, _ = simulated([KNOWN, snapshot("2026-06-12 12:00")], DELINQUENT)
    assert in_brief(lines) == [
        "account_becomes_delinquent account:a1:2026-06-15 06-15 09:00 sent",
        "invoice_delinquent_for_days-3 invoice:i1:2026-06-15:3 06-18 09:00 sent",
    ]


def test_at_the_midnight_of_its_day_a_known_invoice_is_moved_in_as_ever() -> None:
    events = [KNOWN, invoice_event("2026-05-20 12:00"), account_event("2026-06-15 00:00", kind="snapshot")]
    lines, _ = simulated(events, DELINQUENT)
    assert in_brief(lines)[0] == "account_becomes_delinquent account:a1:2026-06-15 06-15 09:00 sent"


def test_a_silent_episode_says_nothing_of_the_invoices_that_follow() -> None:
    events = [
        KNOWN,
        snapshot("2026-06-17 12:00"),
        invoice_event("2026-06-17 12:00", invoice_id="i2", due_on="2026-06-19"),
    ]
    assert simulated(events, a_rulebook(a_rule("account_becomes_delinquent"))) == ([], [])


def test_per_invoice_only_the_imported_one_is_silent() -> None:
    events = [
        KNOWN,
        snapshot("2026-06-17 12:00"),
        invoice_event("2026-06-17 12:00", invoice_id="i2", due_on="2026-06-19"),
    ]
    lines, _ = simulated(events, a_rulebook(a_rule("account_becomes_delinquent", per="invoice")))
    assert in_brief(lines) == ["account_becomes_delinquent invoice:i2:2026-06-24 06-24 09:00 sent"]


def test_an_account_that_it_makes_known_has_its_days_from_then_on() -> None:
    events = [invoice_event("2026-05-20 12:00"), account_event("2026-06-11 12:00", kind="snapshot")]
    lines, _ = simulated(events, a_rulebook(a_rule(PAST, x=1), a_rule(PAST, x=2)))
    assert in_brief(lines) == ["invoice_past_due_for_days-2 invoice:i1:2026-06-10:2 06-12 09:00 sent"]


def test_an_override_that_it_ends_makes_the_invoice_delinquent_silently() -> None:
    events = [
        account_event("2026-05-20 12:00", grace_until="2026-07-10"),
        invoice_event("2026-05-20 12:00"),
        account_event("2026-06-20 12:00", kind="snapshot"),
    ]
    lines, _ = simulated(events, DELINQUENT)
    assert not lines


def test_one_that_pays_the_invoice_ends_its_delinquency() -> None:
    events = [KNOWN, invoice_event("2026-05-20 12:00"), snapshot("2026-06-17 12:00", status="paid", balance=0)]
    lines, _ = simulated(events, DELINQUENT)
    assert in_brief(lines) == ["account_becomes_delinquent account:a1:2026-06-15 06-15 09:00 sent"]


@pytest.mark.parametrize("send_at", ["00:00", "09:00"])
def test_a_snapshot_of_everything_each_night_changes_nothing(send_at: str) -> None:
    company = a_company(send_at=send_at)
    rules = a_rulebook(
        a_rule("account_becomes_delinquent"),
        a_rule("invoice_delinquent_for_days", x=2),
        a_rule("invoice_becomes_delinquent_in_days", x=2),
        a_rule(PAST, x=2),
        companies=[company],
    )
    facts = [KNOWN, invoice_event("2026-05-20 12:00")]
    nightly = [
        event
        for day in range(1, 29)
        for event in (
            account_event(f"2026-06-{day:02} 00:00", kind="snapshot"),
            snapshot(f"2026-06-{day:02} 00:00"),
        )
    ]
    plain, _ = simulated(facts, rules, a_span("2026-06-01 00:00", "2026-06-28 00:00"))
    imported, _ = simulated(facts + nightly, rules, a_span("2026-06-01 00:00", "2026-06-28 00:00"))
    assert in_brief(plain) == in_brief(imported)
    assert len(plain) == 4
