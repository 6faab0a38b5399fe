"""Late moments and outages, through `simulate` (DOMAIN.md, section 4, Late and After an outage)."""

import pytest

from app.contract.instants import DAY, HOUR, MINUTE
from app.domain.rules import Hours, Late
from tests.builders import (
    a_payment,
    a_rule,
    a_rulebook,
    a_span,
    account_event,
    in_brief,
    invoice_event,
    paid,
    simulated,
)

PAST, WARN = "invoice_past_due_for_days", "invoice_becomes_delinquent_in_days"
BASE = [account_event("2026-05-20 12:00"), invoice_event("2026-05-20 12:00")]
OUTAGE = ("2026-06-11 08:00", "2026-06-11 18:00")


@pytest.mark.parametrize(
    ("end", "expected"), [("2026-06-11 09:15", "sent"), ("2026-06-11T13:15:00.000001Z", "skipped(late)")]
)
def test_fifteen_minutes_after_its_moment_a_decision_is_on_time_and_not_a_microsecond_more(
    end: str, expected: str
) -> None:
    rules = a_rulebook(a_rule(PAST, x=1, late=Late("skip")))
    span = a_span("2026-06-01 00:00", "2026-07-01 00:00", ("2026-06-11 08:00", end))
    lines, _ = simulated(BASE, rules, span)
    assert in_brief(lines) == [f"invoice_past_due_for_days-1 invoice:i1:2026-06-10:1 06-11 09:00 {expected}"]


@pytest.mark.parametrize(
    ("end", "expected"), [("2026-06-11 11:00", "sent"), ("2026-06-11T15:00:00.000001Z", "skipped(late)")]
)
def test_within_is_elapsed_time_and_inclusive(end: str, expected: str) -> None:
    rules = a_rulebook(a_rule(PAST, x=1, late=Late("send", 2 * HOUR)))
    span = a_span("2026-06-01 00:00", "2026-07-01 00:00", ("2026-06-11 08:00", end))
    lines, _ = simulated(BASE, rules, span)
    assert in_brief(lines) == [f"invoice_past_due_for_days-1 invoice:i1:2026-06-10:1 06-11 09:00 {expected}"]


def test_what_is_on_time_is_sent_however_short_within_is() -> None:
    rules = a_rulebook(a_rule(PAST, x=1, late=Late("send", MINUTE)))
    span = a_span("2026-06-01 00:00", "2026-07-01 00:00", ("2026-06-11 08:00", "2026-06-11 09:10"))
    lines, _ = simulated(BASE, rules, span)
    assert [line["outcome"] for line in lines] == ["sent"]


def test_late_binds_event_rules_too() -> None:
    events = [*BASE, a_payment("2026-06-11 09:00"), a_payment("2026-06-11 17:50", payment_id="p2")]
    rules = a_rulebook(a_rule("payment_failed", late=Late("skip")))
    lines, _ = simulated(events, rules, a_span("2026-06-01 00:00", "2026-07-01 00:00", OUTAGE))
    assert in_brief(lines) == [
        "payment_failed payment:p1:1 06-11 09:00 skipped(late)",
        "payment_failed payment:p2:1 06-11 17:50 sent",
    ]


def test_paid_after_its_moment_is_no_longer_true_and_paid_before_it_never_came_up() -> None:
    events = [
        *BASE,
        invoice_event("2026-05-20 12:00", invoice_id="i2"),
        paid("2026-06-11 08:30", invoice_id="i2"),
        paid("2026-06-11 09:30"),
    ]
    rules = a_rulebook(a_rule(PAST, x=1))
    lines, _ = simulated(events, rules, a_span("2026-06-01 00:00", "2026-07-01 00:00", OUTAGE))
    assert in_brief(lines) == [
        "invoice_past_due_for_days-1 invoice:i1:2026-06-10:1 06-11 09:00 skipped(no_longer_true)"
    ]


def test_a_missed_moment_within_15_minutes_of_the_outage_s_end_is_decided_with_all_its_facts() -> None:
    events = [*BASE, paid("2026-06-11 09:02")]
    span = a_span("2026-06-01 00:00", "2026-07-01 00:00", ("2026-06-11 08:00", "2026-06-11 09:05"))
    lines, _ = simulated(events, a_rulebook(a_rule(PAST, x=1)), span)
    assert in_brief(lines) == [
        "invoice_past_due_for_days-1 invoice:i1:2026-06-10:1 06-11 09:00 skipped(no_longer_true)"
    ]


def test_without_an_outage_what_was_sent_at_nine_stays_sent() -> None:
    lines, _ = simulated([*BASE, paid("2026-06-11 09:02")], a_rulebook(a_rule(PAST, x=1)))
    assert in_brief(lines) == ["invoice_past_due_for_days-1 invoice:i1:2026-06-10:1 06-11 09:00 sent"]


def test_an_event_at_a_moment_s_own_instant_applies_first() -> None:
    assert simulated([*BASE, paid("2026-06-11 09:00")], a_rulebook(a_rule(PAST, x=1))) == ([], [])


def test_of_late_moments_only_the_most_recent_is_sent_by_latest_only() -> None:
    rules = a_rulebook(*(a_rule(PAST, f"p{x}", x=x, late=Late("latest_only")) for x in (1, 2, 3)))
    span = a_span("2026-06-01 00:00", "2026-07-01 00:00", ("2026-06-11 08:00", "2026-06-12 18:00"))
    lines, _ = simulated(BASE, rules, span)
    assert in_brief(lines) == [
        "p1 invoice:i1:2026-06-10:1 06-11 09:00 superseded",
        "p2 invoice:i1:2026-06-10:2 06-12 09:00 sent",
        "p3 invoice:i1:2026-06-10:3 06-13 09:00 sent",
    ]


def test_moments_on_time_are_all_sent_and_supersede_nothing() -> None:
    rules = a_rulebook(*(a_rule(PAST, f"p{x}", x=x, late=Late("latest_only")) for x in (1, 2)))
    span = a_span("2026-06-01 00:00", "2026-07-01 00:00", ("2026-06-11 08:00", "2026-06-12 09:10"))
    lines, _ = simulated(BASE, rules, span)
    assert [line["outcome"] for line in lines] == ["sent", "sent"]


def test_one_that_is_too_late_to_be_sent_supersedes_none() -> None:
    rules = a_rulebook(
        a_rule(PAST, "p1", x=1, late=Late("latest_only")), a_rule(PAST, "p2", x=2, late=Late("latest_only", HOUR))
    )
    span = a_span("2026-06-01 00:00", "2026-07-01 00:00", ("2026-06-11 08:00", "2026-06-12 18:00"))
    lines, _ = simulated(BASE, rules, span)
    assert in_brief(lines) == [
        "p1 invoice:i1:2026-06-10:1 06-11 09:00 sent",
        "p2 invoice:i1:2026-06-10:2 06-12 09:00 skipped(late)",
    ]


def test_one_that_holds_no_longer_supersedes_none() -> None:
    """The date that p2 counts from was extended during the outage; p1 counts from the new one."""
    events = [*BASE, invoice_event("2026-06-12 10:00", kind="updated", due_on="2026-06-11")]
    rules = a_rulebook(*(a_rule(PAST, f"p{x}", x=x, late=Late("latest_only")) for x in (1, 2)))
    span = a_span("2026-06-01 00:00", "2026-07-01 00:00", ("2026-06-11 08:00", "2026-06-12 18:00"))
    lines, _ = simulated(events, rules, span)
    assert in_brief(lines) == [
        "p1 invoice:i1:2026-06-10:1 06-11 09:00 skipped(no_longer_true)",
        "p2 invoice:i1:2026-06-10:2 06-12 09:00 skipped(no_longer_true)",
        "p2 invoice:i1:2026-06-11:2 06-13 09:00 sent",
    ]


def test_latest_only_groups_what_a_lagging_fact_calls_up_by_the_facts_of_its_reading() -> None:
    """Next to nothing happens for weeks: what the invoice is by then does not matter."""
    events = [
        account_event("2026-05-20 12:00"),
        account_event("2026-06-12 12:00"),
        invoice_event("2026-06-09 12:00", grace_days=4),
    ]
    rules = a_rulebook(*(a_rule(WARN, f"w{x}", x=x, late=Late("latest_only")) for x in (1, 2, 3)))
    lines, _ = simulated(events, rules)
    assert in_brief(lines) == [
        "w3 invoice:i1:2026-06-14:3 06-11 09:00 superseded",
        "w2 invoice:i1:2026-06-14:2 06-12 09:00 sent",
        "w1 invoice:i1:2026-06-14:1 06-13 09:00 sent",
    ]


def test_what_comes_up_does_not_depend_on_the_outage() -> None:
    events = [*BASE, invoice_event("2026-06-12 10:00", kind="updated", due_on="2026-06-11")]
    rules = a_rulebook(*(a_rule(PAST, f"p{x}", x=x) for x in (1, 2)))
    quiet, _ = simulated(events, rules)
    broken, _ = simulated(
        events, rules, a_span("2026-06-01 00:00", "2026-07-15 00:00", ("2026-06-11 08:00", "2026-06-12 18:00"))
    )
    assert [(line["subject"], line["moment"]) for line in quiet] == [
        (line["subject"], line["moment"]) for line in broken
    ]


def test_nothing_is_decided_in_a_pause_that_does_not_end() -> None:
    span = a_span("2026-06-01 00:00", "2026-06-12 00:00", ("2026-06-11 08:00", "2026-06-13 00:00"))
    assert simulated(BASE, a_rulebook(a_rule(PAST, x=1)), span) == ([], [])


def test_a_fact_after_the_last_instant_is_not_read() -> None:
    events = [*BASE, a_payment("2026-07-02 00:00")]
    lines, _ = simulated(events, a_rulebook(a_rule("payment_failed")), a_span("2026-06-01 00:00", "2026-07-01 00:00"))
    assert not lines


def test_two_outages_are_each_caught_up_with_at_their_end() -> None:
    rules = a_rulebook(*(a_rule(PAST, f"p{x}", x=x) for x in (1, 2)))
    span = a_span("2026-06-01 00:00", "2026-07-01 00:00", OUTAGE, ("2026-06-12 08:00", "2026-06-12 18:00"))
    lines, _ = simulated(BASE, rules, span)
    assert [line["decided_at"] for line in lines] == ["2026-06-11T22:00:00Z", "2026-06-12T22:00:00Z"]


def test_by_latest_only_each_event_is_decided_for_itself() -> None:
    """The window lets both attempts go at one instant, both late since the outage."""
    events = [*BASE, a_payment("2026-06-11 09:00"), a_payment("2026-06-11 10:00", attempt=2)]
    rules = a_rulebook(a_rule("payment_failed", late=Late("latest_only"), hours=Hours((20 * 60, 22 * 60))))
    lines, _ = simulated(events, rules, a_span("2026-06-01 00:00", "2026-07-01 00:00", OUTAGE))
    assert [line["outcome"] for line in lines] == ["held", "held", "sent", "sent"]


@pytest.mark.parametrize(
    ("end", "late", "expected"),
    [
        ("2026-06-12 08:15", Late("skip"), "sent"),
        ("2026-06-12T12:15:00.000001Z", Late("skip"), "skipped(late)"),
        ("2026-06-12 09:00", Late("send", HOUR), "sent"),
        ("2026-06-12T13:00:00.000001Z", Late("send", HOUR), "skipped(late)"),
    ],
)
def test_an_outage_that_follows_a_hold_counts_as_late_from_the_release_on(end: str, late: Late, expected: str) -> None:
    """Held in the evening until 08:00, released in an outage."""
    events = [*BASE, a_payment("2026-06-11 22:00")]
    rules = a_rulebook(a_rule("payment_failed", late=late, hours=Hours((8 * 60, 20 * 60))))
    lines, _ = simulated(events, rules, a_span("2026-06-01 00:00", "2026-07-01 00:00", ("2026-06-12 07:00", end)))
    assert [line.split(" ", 4)[4] for line in in_brief(lines)] == ["held(window)", expected]


def test_lateness_of_before_a_hold_and_of_after_it_add_up() -> None:
    """12 hours late as it is held from 22:00 to 08:00, and 14 hours more as that outage after its release ends."""
    events = [*BASE, a_payment("2026-06-11 10:00")]
    outages = [(f"2026-06-{day} {begin}", f"2026-06-{day} 22:00") for day, begin in ((11, "09:00"), (12, "07:00"))]
    for within, expected in ((26 * HOUR, "sent"), (26 * HOUR - 1, "skipped(late)")):
        rules = a_rulebook(a_rule("payment_failed", late=Late("send", within), hours=Hours((8 * 60, 20 * 60))))
        lines, _ = simulated(events, rules, a_span("2026-06-01 00:00", "2026-07-01 00:00", *outages))
        assert [line.split(" ", 4)[4] for line in in_brief(lines)] == ["held(window)", expected]


def test_of_day_moments_held_and_then_late_only_the_most_recent_is_sent_by_latest_only() -> None:
    """Two of the weekend wait for Monday, when the third comes up in an outage."""
    late, weekdays = Late("latest_only", 10 * DAY), Hours(weekdays=(0, 1, 2, 3, 4))
    rules = a_rulebook(*(a_rule(PAST, f"p{x}", x=x, late=late, hours=weekdays) for x in (3, 4, 5)))
    for outages, expected in (
        ([("2026-06-15 08:00", "2026-06-16 12:00")], ["superseded", "superseded", "sent"]),
        ([], ["sent", "sent", "sent"]),
    ):
        lines, _ = simulated(BASE, rules, a_span("2026-06-01 00:00", "2026-07-01 00:00", *outages))
        assert [line["outcome"] for line in lines] == ["held", "held", *expected]
