"""Local days and their moments, through `simulate` (DOMAIN.md, section 4, Days)."""

from datetime import date
from typing import Literal

import pytest
from msgspec.structs import replace

from app.domain.companies import Exclusion
from app.domain.rules import Late
from tests.builders import (
    a_company,
    a_payment,
    a_rule,
    a_rulebook,
    a_span,
    account_event,
    at,
    in_brief,
    invoice_event,
    simulated,
)

DUE, PAST = "invoice_due_in_days", "invoice_past_due_for_days"
TOKYO, SAMOA, NEW_YORK = "Asia/Tokyo", "Pacific/Apia", "America/New_York"


def test_the_reminder_of_a_day_that_its_zone_leaves_out_comes_at_the_gap_s_end() -> None:
    events = [
        account_event("2011-12-01T12:00:00Z", time_zone=SAMOA),
        invoice_event("2011-12-01T12:00:00Z", due_on="2011-12-30"),
    ]
    rules = a_rulebook(a_rule(DUE, "due-0", x=0), a_rule(DUE, "due-1", x=1))
    lines, _ = simulated(events, rules, a_span("2011-12-01 00:00", "2012-01-10 00:00"))
    assert in_brief(lines) == [
        "due-1 invoice:i1:2011-12-30:1 12-29 15:00 sent",
        "due-0 invoice:i1:2011-12-30:0 12-30 06:00 sent",  # midnight of the 31st in Samoa
    ]


def test_a_reminder_that_a_change_of_zone_jumps_over_comes_at_the_change() -> None:
    events = [
        account_event("2026-06-01 12:00", time_zone=NEW_YORK),
        invoice_event("2026-06-01 12:00", due_on="2026-06-11"),
        account_event("2026-06-10 21:00", time_zone=TOKYO),  # there it is the 11th, 10:00
    ]
    lines, _ = simulated(events, a_rulebook(a_rule(DUE, x=0)))
    assert in_brief(lines) == ["invoice_due_in_days-0 invoice:i1:2026-06-11:0 06-10 21:00 sent"]


@pytest.mark.parametrize("other", ["Asia/Tokyo", "Pacific/Kiritimati"])  # there it is the 11th, 17:50; the 12th, 00:50
def test_a_reminder_comes_at_the_change_of_zone_even_where_that_jumps_to_the_day_after_the_next(other: str) -> None:
    change = "2026-06-11T10:50:00Z"  # on Midway the 10th, 23:50
    events = [
        account_event("2026-06-01 12:00", time_zone="Pacific/Midway"),
        invoice_event("2026-06-01 12:00"),
        account_event(change, time_zone=other),
    ]
    lines, _ = simulated(events, a_rulebook(a_rule(DUE, x=0, send_at="23:55")))
    assert [line["moment"] for line in lines] == [change]


def test_a_reminder_that_a_change_of_zone_would_bring_back_does_not_come_twice() -> None:
    events = [
        account_event("2026-06-01 12:00", time_zone=TOKYO),
        invoice_event("2026-06-01 12:00", due_on="2026-06-11"),
        account_event("2026-06-10 21:00", time_zone=NEW_YORK),
    ]
    lines, _ = simulated(events, a_rulebook(a_rule(DUE, x=0)))
    assert in_brief(lines) == ["invoice_due_in_days-0 invoice:i1:2026-06-11:0 06-10 20:00 sent"]


def test_a_day_that_no_zone_has_had_comes_after_going_back_and_forth() -> None:
    events = [
        account_event("2026-06-01 12:00", time_zone=NEW_YORK),
        invoice_event("2026-06-01 12:00", due_on="2026-06-11"),
        account_event("2026-06-10 19:00", time_zone=TOKYO),  # the 11th, 08:00
        account_event("2026-06-10 19:30", time_zone=NEW_YORK),
    ]
    lines, _ = simulated(events, a_rulebook(a_rule(DUE, x=0)))
    assert in_brief(lines) == ["invoice_due_in_days-0 invoice:i1:2026-06-11:0 06-11 09:00 sent"]


def test_an_invoice_that_a_change_of_zone_takes_back_before_its_day_is_delinquent_again_on_that_day() -> None:
    events = [
        account_event("2026-05-20 12:00", time_zone=TOKYO),
        invoice_event("2026-05-20 12:00"),  # delinquent on the 15th, in Tokyo the 14th 11:00 of New York
        account_event("2026-06-14 19:00", time_zone=NEW_YORK),
    ]
    rules = a_rulebook(a_rule("account_becomes_delinquent"), a_rule("invoice_delinquent_for_days", x=1))
    lines, _ = simulated(events, rules)
    assert in_brief(lines) == [
        "account_becomes_delinquent account:a1:2026-06-15 06-15 09:00 sent",
        "invoice_delinquent_for_days-1 invoice:i1:2026-06-15:1 06-16 09:00 sent",
    ]


def test_without_a_zone_the_account_s_days_are_its_company_s() -> None:
    companies = [a_company(time_zone="Europe/Berlin")]
    events = [account_event("2026-06-01 12:00", time_zone=""), invoice_event("2026-06-01 12:00")]
    lines, _ = simulated(events, a_rulebook(a_rule(DUE, x=0), companies=companies))
    assert [line["moment"] for line in lines] == ["2026-06-10T07:00:00Z"]


def test_a_company_s_send_time_counts_where_the_rule_has_none() -> None:
    companies = [a_company(send_at="10:30")]
    events = [account_event("2026-06-01 12:00"), invoice_event("2026-06-01 12:00")]
    rules = a_rulebook(a_rule(DUE, "own", x=0, send_at="08:00"), a_rule(DUE, "company-s", x=0), companies=companies)
    lines, _ = simulated(events, rules)
    assert in_brief(lines) == [
        "own invoice:i1:2026-06-10:0 06-10 08:00 sent",
        "company-s invoice:i1:2026-06-10:0 06-10 10:30 sent",
    ]


@pytest.mark.parametrize("due_on", ["9999-12-31", "0001-01-01"])
def test_dates_at_the_ends_of_the_calendar_raise_nothing(due_on: str) -> None:
    rules = a_rulebook(
        a_rule(DUE, x=30),
        a_rule(PAST, x=30),
        a_rule("invoice_becomes_delinquent_in_days", x=30),
        a_rule("invoice_delinquent_for_days", x=3_000),
    )
    events = [
        account_event("2026-05-20 12:00", grace_until="9999-12-31"),
        invoice_event("2026-05-20 12:00", due_on=due_on, issued_on=due_on, auto_pay_on=due_on, grace_days=36_500),
    ]
    assert simulated(events, rules) == ([], [])


def test_a_simulation_may_run_to_the_calendar_s_end() -> None:
    events = [account_event("2026-05-20 12:00"), invoice_event("2026-05-20 12:00")]
    span = a_span("2026-06-01 00:00", "9999-12-31T00:00:00Z")
    lines, _ = simulated(events, a_rulebook(a_rule(PAST, x=1)), span)
    assert in_brief(lines) == ["invoice_past_due_for_days-1 invoice:i1:2026-06-10:1 06-11 09:00 sent"]


def test_a_company_that_excludes_every_day_has_no_projected_date() -> None:
    never = a_company(exclusions=tuple(Exclusion(weekday=day) for day in range(7)))
    events = [account_event("2026-05-20 12:00"), invoice_event("2026-05-20 12:00")]
    rules = a_rulebook(
        a_rule("invoice_becomes_delinquent_in_days", x=1), a_rule("account_becomes_delinquent"), companies=[never]
    )
    assert simulated(events, rules) == ([], [])


def test_an_account_that_is_checked_on_no_weekday_has_no_projected_date() -> None:
    events = [
        account_event("2026-05-20 12:00", delinquency={"check_weekdays": []}),
        invoice_event("2026-05-20 12:00", due_on=str(date(2026, 6, 10))),
    ]
    rules = a_rulebook(a_rule("invoice_becomes_delinquent_in_days", x=1), a_rule("account_becomes_delinquent"))
    assert simulated(events, rules) == ([], [])


@pytest.mark.parametrize("policy", ["send", "latest_only"])
@pytest.mark.parametrize("pauses", [[], [("2026-06-11 06:00", "2026-06-12 03:00")]], ids=["no outage", "an outage"])
def test_a_day_whose_send_time_is_changed_in_its_course_comes_once(
    pauses: list[tuple[str, str]], policy: Literal["send", "latest_only"]
) -> None:
    first = a_rule(PAST, x=1, send_at="09:00", version=1, late=Late(policy))
    later = replace(first, send_at="18:00", version=2, enabled_at=at("2026-06-11 18:00"))
    # The first event behind the send time of nine lets that moment wait, too, for the outage's end.
    events = [
        account_event("2026-06-01 12:00"),
        invoice_event("2026-06-01 12:00", due_on="2026-06-10"),
        a_payment("2026-06-11 16:00", "failed"),
    ]
    lines, _ = simulated(events, a_rulebook(first, later), a_span("2026-06-01 00:00", "2026-07-15 00:00", *pauses))
    assert in_brief(lines) == [f"{PAST}-1 invoice:i1:2026-06-10:1 06-11 09:00 sent"]
