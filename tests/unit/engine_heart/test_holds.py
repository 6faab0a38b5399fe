"""What is held and what becomes of it, and usage, through `simulate` (DOMAIN.md, sections 3 and 4)."""

from typing import Any

from app.contract.instants import DAY, HOUR
from app.domain.rules import Filters, Hours, Late, Rule
from app.domain.switches import Kill, Switches
from tests.builders import (
    Event,
    a_company,
    a_payment,
    a_rule,
    a_rulebook,
    account_event,
    an_event,
    in_brief,
    invoice_event,
    paid,
    simulated,
)

FAILED, PAST = "payment_failed", "invoice_past_due_for_days"
KNOWN = account_event("2026-05-20 12:00")
ISSUED = invoice_event("2026-05-20 12:00")


def brief(rules: list[Rule], *events: Event) -> list[str]:
    return in_brief(simulated([KNOWN, *events], a_rulebook(*rules))[0])


def failed(time: str, number: int, **data: Any) -> Event:
    return a_payment(time, payment_id=f"p{number}", **data)


def test_one_who_is_at_the_cap_gets_the_next_one_the_next_day() -> None:
    rules = [a_rule(FAILED, "f", cap=1)]
    assert brief(rules, failed("2026-06-10 12:00", 1), failed("2026-06-10 13:00", 2)) == [
        "f payment:p1:1 06-10 12:00 sent",
        "f payment:p2:1 06-10 13:00 held(capped)",
        "f payment:p2:1 06-10 13:00 sent",
    ]


def test_capped_again_and_by_then_too_late_is_capped_for_good() -> None:
    """The day after, the contact is at the cap again before it is the second one's turn."""
    rules = [a_rule(FAILED, "f", cap=1, late=Late("send", 6 * HOUR))]
    events = [failed(f"2026-06-10 12:0{number}", number) for number in range(3)]
    lines = brief(rules, *events)
    assert [line.split(" ", 1)[1] for line in lines] == [
        "payment:p0:1 06-10 12:00 sent",
        "payment:p1:1 06-10 12:01 held(capped)",
        "payment:p1:1 06-10 12:01 sent",
        "payment:p2:1 06-10 12:02 held(capped)",
        "payment:p2:1 06-10 12:02 skipped(capped)",
    ]


def test_capped_again_and_still_within_it_waits_on() -> None:
    rules = [a_rule(FAILED, "f", cap=1, late=Late("send", 3 * DAY))]
    lines, _ = simulated(
        [KNOWN, *(failed(f"2026-06-10 12:0{number}", number) for number in range(3))], a_rulebook(*rules)
    )
    assert [line["decided_at"][:10] for line in lines if line["outcome"] == "sent"] == [
        "2026-06-10",
        "2026-06-11",
        "2026-06-12",
    ]


def test_what_is_critical_is_neither_counted_nor_capped() -> None:
    rules = [a_rule(FAILED, "critical", cap=1, critical=True), a_rule(FAILED, "other", cap=1)]
    lines = brief(rules, failed("2026-06-10 12:00", 1), failed("2026-06-10 13:00", 2))
    assert [line.split()[0] for line in lines if line.endswith(" sent")] == ["critical", "other", "critical", "other"]
    assert len([line for line in lines if line.endswith("held(capped)")]) == 1


def test_released_it_is_decided_entirely_anew() -> None:
    """Held in the night, paid before the morning."""
    rules = [a_rule(PAST, "p", x=1, send_at="06:00", hours=Hours(window=(8 * 60, 20 * 60)))]
    assert brief(rules, ISSUED, paid("2026-06-11 07:00")) == [
        "p invoice:i1:2026-06-10:1 06-11 06:00 held(window)",
        "p invoice:i1:2026-06-10:1 06-11 06:00 skipped(no_longer_true)",
    ]
    assert brief(rules, ISSUED)[1] == "p invoice:i1:2026-06-10:1 06-11 06:00 sent"


def test_hours_that_allow_nothing_hold_for_ever() -> None:
    rules = [a_rule(FAILED, "f", hours=Hours(weekdays=()))]
    assert brief(rules, failed("2026-06-10 12:00", 1), failed("2026-06-20 12:00", 2)) == [
        "f payment:p1:1 06-10 12:00 held(weekday)",
        "f payment:p2:1 06-20 12:00 held(weekday)",
    ]


def test_a_kill_switch_holds_its_company_s_and_the_global_one_everything_but_criticals() -> None:
    rules = a_rulebook(a_rule(FAILED, "f"), a_rule(FAILED, "critical", critical=True))
    for kill, outcome in (
        (Kill(all=True), "held"),
        (Kill(companies=("acme",)), "held"),
        (Kill(companies=("beta",)), "sent"),
    ):
        rules.switches = Switches(kill)
        lines, _ = simulated([KNOWN, failed("2026-06-10 12:00", 1)], rules)
        assert [(line["rule"], line["outcome"]) for line in lines] == [("critical", "sent"), ("f", outcome)]


def usage(time: str, used: int, cap: int = 100, cycle: str = "2026-06-01") -> Event:
    data: dict[str, Any] = {
        "policy_id": "u",
        "cycle_start": cycle,
        "cycle_end": "2026-07-31",
        "used_bytes": used,
        "cap_bytes": cap,
    }
    return an_event("billing.usage.recorded", time, **data)


def percents(*events: Event) -> list[str]:
    rules = a_rulebook(*(a_rule("usage_reaches_percent", f"u{x}", x=x, categories=("financial",)) for x in (80, 100)))
    return [line.split(":", 3)[3] for line in in_brief(simulated([KNOWN, *events], rules)[0])]


def test_usage_fires_once_a_cycle_at_each_percentage() -> None:
    first = [usage("2026-06-10 12:00", 79), usage("2026-06-11 12:00", 80), usage("2026-06-12 12:00", 85)]
    assert percents(*first, usage("2026-06-13 12:00", 100)) == [
        "80 06-11 12:00 sent",
        "100 06-13 12:00 sent",
    ]


def test_usage_that_falls_and_rises_again_fires_no_more_in_its_cycle() -> None:
    events = [usage("2026-06-10 12:00", 80), usage("2026-06-11 12:00", 80, 200), usage("2026-06-12 12:00", 90)]
    assert percents(*events) == ["80 06-10 12:00 sent"]


def test_usage_of_an_older_cycle_is_ignored_and_a_new_one_begins_anew() -> None:
    older = usage("2026-07-03 12:00", 95)
    newer = [usage("2026-07-02 12:00", 10, cycle="2026-07-01"), usage("2026-07-04 12:00", 85, cycle="2026-07-01")]
    assert percents(usage("2026-06-10 12:00", 80), newer[0], older, newer[1]) == [
        "80 06-10 12:00 sent",
        "80 07-04 12:00 sent",
    ]


def test_without_a_cap_usage_never_fires() -> None:
    assert percents(usage("2026-06-10 12:00", 500, cap=0)) == []


def test_of_several_percentages_reached_at_once_the_highest_is_sent() -> None:
    assert percents(usage("2026-06-10 12:00", 120)) == ["100 06-10 12:00 sent", "80 06-10 12:00 superseded"]


def test_of_percentages_reached_before_the_account_was_known_the_highest_that_is_not_filtered_is_sent() -> None:
    business = Filters(account_type=("business",))
    rules = a_rulebook(
        a_rule("usage_reaches_percent", "80", x=80, when=Filters(company=("acme",))),
        a_rule("usage_reaches_percent", "90", x=90, when=Filters(company=("acme",))),
        a_rule("usage_reaches_percent", "95", x=95, when=business),
    )
    contact = {"contact_id": "gen", "email": "gen@a1.example", "categories": ["general"]}
    reached, known = usage("2026-06-10 12:00", 120), account_event("2026-06-10 13:00", contacts=[contact])
    for account_type, expected in (
        ("home", ["superseded", "sent", "filtered"]),
        ("business", ["superseded"] * 2 + ["sent"]),
    ):
        lines, _ = simulated([reached, known | {"data": known["data"] | {"account_type": account_type}}], rules)
        final = {line["rule"]: line["reason"] or line["outcome"] for line in lines if line["outcome"] != "held"}
        assert [final["80"], final["90"], final["95"]] == expected


def test_a_receipt_goes_to_the_contact_named_and_where_that_is_none_to_the_account_s() -> None:
    contacts = [
        {"contact_id": "fin", "email": "fin@a1.example", "categories": ["financial"]},
        {"contact_id": "bob", "email": "bob@a1.example"},
        {"contact_id": "cyd"},
    ]
    account = account_event("2026-05-20 12:00", contacts=contacts)
    for named, address in (("bob", "bob@a1.example"), ("cyd", "fin@a1.example"), ("nobody", "fin@a1.example")):
        payment = a_payment("2026-06-10 12:00", "succeeded", receipt_requested=True, receipt_contact_id=named)
        lines, _ = simulated([account, payment], a_rulebook(a_rule("payment_receipt")))
        assert [line["recipients"] for line in lines] == [[address]]


def test_the_company_s_holidays_hold_a_rule_that_skips_them() -> None:
    company = a_company(weekdays=(0, 1, 2, 3, 4))
    rules = a_rulebook(a_rule(PAST, "p", x=3), companies=[company])
    lines, _ = simulated([KNOWN, ISSUED], rules)
    assert in_brief(lines) == [
        "p invoice:i1:2026-06-10:3 06-13 09:00 held(weekday)",
        "p invoice:i1:2026-06-10:3 06-13 09:00 sent",
    ]
    assert lines[1]["decided_at"] == "2026-06-15T13:00:00Z"
