"""Event rules: duplicates, unknown accounts, versions of rules; through `simulate` (DOMAIN.md, sections 2, 3.1, 4)."""

from typing import Any

import pytest

from app.contract.instants import MINUTE
from app.domain.rules import Late
from app.simulate.run import simulate
from tests.builders import (
    Event,
    a_payment,
    a_rule,
    a_rulebook,
    a_span,
    account_event,
    an_event,
    at,
    in_brief,
    invoice_event,
    simulated,
    written,
)

FAILED, PAST = "payment_failed", "invoice_past_due_for_days"
KNOWN = account_event("2026-05-20 12:00")
RULES = a_rulebook(a_rule(FAILED))
NOON = "2026-06-10 12:00"


def brief(*events: Event) -> list[str]:
    return [line.removeprefix("payment_failed payment:") for line in in_brief(simulated(events, RULES)[0])]


def test_each_attempt_is_a_subject_of_its_own() -> None:
    assert brief(KNOWN, a_payment(NOON), a_payment(NOON, attempt=2)) == [
        "p1:1 06-10 12:00 sent",
        "p1:2 06-10 12:00 sent",
    ]


def test_a_payment_made_by_hand_leaves_no_line() -> None:
    rules = a_rulebook(a_rule(FAILED), a_rule("payment_succeeded"))
    events = [KNOWN, a_payment(NOON, autopay=False), a_payment(NOON, "succeeded", autopay=False)]
    assert simulated(events, rules) == ([], [])


def test_an_autopay_payment_that_succeeds_is_one_subject() -> None:
    lines, _ = simulated([KNOWN, a_payment(NOON, "succeeded")], a_rulebook(a_rule("payment_succeeded")))
    assert in_brief(lines) == ["payment_succeeded payment:p1 06-10 12:00 sent"]


def test_the_same_subject_at_another_moment_is_a_duplicate() -> None:
    again = a_payment("2026-06-10 12:01")
    assert brief(KNOWN, a_payment(NOON), again) == ["p1:1 06-10 12:00 sent", "p1:1 06-10 12:01 skipped(duplicate)"]


def test_the_same_subject_at_the_same_moment_is_the_same_decision() -> None:
    assert brief(KNOWN, a_payment(NOON), a_payment(NOON)) == ["p1:1 06-10 12:00 sent"]


def test_what_was_skipped_is_no_duplicate() -> None:
    nobody = account_event("2026-05-20 12:00", contacts=[])
    somebody = account_event("2026-06-10 12:30")
    assert brief(nobody, a_payment(NOON), somebody, a_payment("2026-06-10 13:00")) == [
        "p1:1 06-10 12:00 skipped(no_recipient)",
        "p1:1 06-10 13:00 sent",
    ]


def test_an_event_with_a_known_id_and_source_changes_nothing() -> None:
    again = a_payment("2026-06-10 12:01", id_="one", payment_id="p2")
    assert brief(KNOWN, a_payment(NOON, id_="one"), again) == ["p1:1 06-10 12:00 sent"]


def test_the_same_id_of_another_source_is_another_event() -> None:
    other = a_payment("2026-06-10 12:01", id_="one", payment_id="p2") | {"source": "elsewhere"}
    assert len(brief(KNOWN, a_payment(NOON, id_="one"), other)) == 2


@pytest.mark.parametrize(("between", "lines"), [(99, 1), (100, 2)])
def test_the_last_100_events_of_an_account_are_known(between: int, lines: int) -> None:
    others = [account_event("2026-06-10 12:00") for _ in range(between)]
    again = a_payment("2026-06-10 12:01", id_="one", payment_id="p2")
    assert len(brief(KNOWN, a_payment(NOON, id_="one"), *others, again)) == lines


def test_an_unknown_account_s_event_is_held_and_decided_on_the_account_s_first_event() -> None:
    assert brief(a_payment(NOON), account_event("2026-06-10 13:00")) == [
        "p1:1 06-10 12:00 held(unknown_account)",
        "p1:1 06-10 12:00 sent",
    ]


def test_a_snapshot_makes_the_account_known_too() -> None:
    assert brief(a_payment(NOON), account_event("2026-06-10 13:00", kind="snapshot"))[1] == "p1:1 06-10 12:00 sent"


def test_after_24_hours_there_is_no_recipient() -> None:
    lines, _ = simulated([a_payment(NOON)], RULES)
    assert [(line["outcome"], line["reason"], line["decided_at"]) for line in lines] == [
        ("held", "unknown_account", "2026-06-10T16:00:00Z"),
        ("skipped", "no_recipient", "2026-06-11T16:00:00Z"),
    ]


@pytest.mark.parametrize(
    ("known", "outcome"), [("2026-06-11 12:00", "sent"), ("2026-06-11T16:00:00.000001Z", "skipped(no_recipient)")]
)
def test_the_account_s_event_at_the_24th_hour_itself_is_in_time(known: str, outcome: str) -> None:
    assert brief(a_payment(NOON), account_event(known))[1] == f"p1:1 06-10 12:00 {outcome}"


def test_time_spent_held_does_not_count_as_late() -> None:
    rules = a_rulebook(a_rule(FAILED, late=Late("skip")))
    lines, _ = simulated([a_payment(NOON), account_event("2026-06-11 11:00")], rules)
    assert [line["outcome"] for line in lines] == ["held", "sent"]


def test_what_was_late_when_read_is_late_on_release() -> None:
    rules = a_rulebook(a_rule(FAILED, late=Late("skip")))
    span = a_span("2026-06-01 00:00", "2026-07-01 00:00", ("2026-06-10 11:00", "2026-06-10 12:16"))
    lines, _ = simulated([a_payment(NOON), account_event("2026-06-10 13:00")], rules, span)
    assert [(line["outcome"], line["reason"]) for line in lines] == [("held", "unknown_account"), ("skipped", "late")]


def test_a_duplicate_is_decided_even_before_the_account_is_known() -> None:
    again = a_payment("2026-06-10 12:01")
    assert brief(a_payment(NOON), again, account_event("2026-06-10 13:00")) == [
        "p1:1 06-10 12:00 held(unknown_account)",
        "p1:1 06-10 12:00 sent",
        "p1:1 06-10 12:01 skipped(duplicate)",
    ]


def test_one_held_is_held_once() -> None:
    again = a_payment(NOON)
    assert brief(a_payment(NOON), again, account_event("2026-06-10 13:00")) == [
        "p1:1 06-10 12:00 held(unknown_account)",
        "p1:1 06-10 12:00 sent",
    ]


def test_a_rule_changed_is_decided_even_before_the_account_is_known() -> None:
    rules = a_rulebook(a_rule(FAILED), a_rule(FAILED, enabled=False, version=2, enabled_at=at("2026-06-10 12:10")))
    span = a_span("2026-06-01 00:00", "2026-07-01 00:00", ("2026-06-10 11:00", "2026-06-10 12:15"))
    lines, _ = simulated([a_payment(NOON)], rules, span)
    assert [(line["outcome"], line["reason"]) for line in lines] == [("skipped", "rule_changed")]


def test_on_release_the_version_in_force_decides() -> None:
    rules = a_rulebook(a_rule(FAILED), a_rule(FAILED, enabled=False, version=2, enabled_at=at("2026-06-10 12:30")))
    lines, _ = simulated([a_payment(NOON), account_event("2026-06-10 13:00")], rules)
    assert [(line["outcome"], line["reason"]) for line in lines] == [
        ("held", "unknown_account"),
        ("skipped", "rule_changed"),
    ]


def test_a_rule_changed_within_the_24_hours_comes_before_there_being_no_recipient() -> None:
    rules = a_rulebook(a_rule(FAILED), a_rule(FAILED, enabled=False, version=2, enabled_at=at("2026-06-10 12:30")))
    lines, _ = simulated([a_payment(NOON)], rules)
    assert [(line["outcome"], line["reason"]) for line in lines] == [
        ("held", "unknown_account"),
        ("skipped", "rule_changed"),
    ]


def test_days_of_an_unknown_account_do_not_come_up() -> None:
    events = [invoice_event("2026-05-20 12:00"), account_event("2026-06-12 12:00")]
    lines, _ = simulated(events, a_rulebook(*(a_rule(PAST, x=x) for x in (1, 2, 3))))
    assert in_brief(lines) == ["invoice_past_due_for_days-3 invoice:i1:2026-06-10:3 06-13 09:00 sent"]


def test_an_event_before_the_simulation_s_first_instant_fires_nothing() -> None:
    events = [KNOWN, a_payment("2026-05-31 23:59"), a_payment("2026-06-01 00:00", payment_id="p2")]
    assert brief(*events) == ["p2:1 06-01 00:00 sent"]


@pytest.mark.parametrize(("enabled_at", "lines"), [("2026-06-10 12:00", 1), ("2026-06-10T16:00:00.000001Z", 0)])
def test_a_rule_applies_to_moments_at_or_after_the_instant_it_was_enabled(enabled_at: str, lines: int) -> None:
    rules = a_rulebook(a_rule(FAILED, enabled_at=at(enabled_at)))
    assert len(simulated([KNOWN, a_payment(NOON)], rules)[0]) == lines


def test_a_disabled_rule_decides_nothing() -> None:
    rules = a_rulebook(a_rule(FAILED, enabled=False), a_rule(PAST, x=1, enabled=False))
    assert simulated([KNOWN, invoice_event("2026-05-20 12:00"), a_payment(NOON)], rules) == ([], [])


def test_a_missed_moment_of_a_rule_disabled_since_is_rule_changed() -> None:
    rules = a_rulebook(
        a_rule(PAST, "r", x=1), a_rule(PAST, "r", x=1, enabled=False, version=2, enabled_at=at("2026-06-11 12:00"))
    )
    span = a_span("2026-06-01 00:00", "2026-07-01 00:00", ("2026-06-11 08:00", "2026-06-11 18:00"))
    lines, _ = simulated([KNOWN, invoice_event("2026-05-20 12:00")], rules, span)
    assert in_brief(lines) == ["r invoice:i1:2026-06-10:1 06-11 09:00 skipped(rule_changed)"]


def test_a_missed_moment_whose_rule_counts_other_days_since_is_rule_changed() -> None:
    rules = a_rulebook(a_rule(PAST, "r", x=1), a_rule(PAST, "r", x=2, version=2, enabled_at=at("2026-06-11 12:00")))
    span = a_span("2026-06-01 00:00", "2026-07-01 00:00", ("2026-06-11 08:00", "2026-06-11 18:00"))
    lines, _ = simulated([KNOWN, invoice_event("2026-05-20 12:00")], rules, span)
    assert in_brief(lines) == [
        "r invoice:i1:2026-06-10:1 06-11 09:00 skipped(rule_changed)",
        "r invoice:i1:2026-06-10:2 06-12 09:00 sent",
    ]


def test_a_subject_decided_under_an_earlier_version_is_not_decided_again() -> None:
    """The later version's send time would have the same subject come up once more that day."""
    later = a_rule(PAST, "r", x=1, send_at="15:00", version=2, enabled_at=at("2026-06-11 12:00"))
    lines, _ = simulated([KNOWN, invoice_event("2026-05-20 12:00")], a_rulebook(a_rule(PAST, "r", x=1), later))
    assert in_brief(lines) == ["r invoice:i1:2026-06-10:1 06-11 09:00 sent"]


def test_a_rule_may_become_another_trigger_s() -> None:
    rules = a_rulebook(a_rule(FAILED, "r"), a_rule(PAST, "r", x=1, version=2, enabled_at=at("2026-06-10 00:00")))
    events = [KNOWN, invoice_event("2026-05-20 12:00"), a_payment("2026-06-09 12:00"), a_payment(NOON, payment_id="p2")]
    lines, _ = simulated(events, rules)
    assert in_brief(lines) == ["r payment:p1:1 06-09 12:00 sent", "r invoice:i1:2026-06-10:1 06-11 09:00 sent"]


def test_users_and_types_that_are_not_known_are_passed_over() -> None:
    user = {"user_id": "u1", "name": "U", "email": "u@x.example", "language": "en", "company_id": "acme"}
    created = a_payment(NOON, account="u1") | {
        "type": "portal.user.created",
        "data": {"user": user, "set_password_url": "https://x.example/s", "expires_at": "2026-07-01T00:00:00Z"},
    }
    unknown = a_payment(NOON) | {"type": "billing.weather.changed"}
    assert simulated([KNOWN, created, unknown], RULES) == ([], [])


def test_decisions_come_in_the_order_they_were_made() -> None:
    events = [
        KNOWN,
        invoice_event("2026-05-20 12:00"),
        a_payment("2026-06-11 08:59"),
        a_payment("2026-06-11 09:01", attempt=2),
    ]
    lines, _ = simulated(events, a_rulebook(a_rule(FAILED), a_rule(PAST, x=1)))
    assert [line["rule"] for line in lines] == [FAILED, "invoice_past_due_for_days-1", FAILED]
    assert all(at(line["decided_at"]) - at(line["moment"]) < MINUTE for line in lines)


def test_empty_lines_of_a_file_are_no_records() -> None:
    decisions, breaches = simulate([b"\n", written(KNOWN), b"  \n", b"{}\n"], RULES, a_span())
    assert not decisions
    assert [breach.line for breach in breaches] == [4]


@pytest.mark.parametrize(("invoice", "shown"), [("i1", "I1"), ("i2", None), (None, None)])
def test_a_billing_run_s_message_shows_its_invoice_if_that_is_known(invoice: str | None, shown: str | None) -> None:
    run = an_event("billing.run.completed", NOON, run_id="r1", billed_on="2026-06-10", invoice_id=invoice)
    events = [KNOWN, invoice_event("2026-05-20 12:00"), run]
    decisions, _ = simulate(map(written, events), a_rulebook(a_rule("billing_run_succeeded")), a_span())
    assert [decision.message.invoice and decision.message.invoice.invoice_number for decision in decisions] == [shown]


@pytest.mark.parametrize("nothing", [None, "", " ", {}, {"line1": None}, {"line1": ""}, "left out"])
@pytest.mark.parametrize("side", ["old", "new"])
def test_an_address_that_is_empty_null_or_absent_is_the_same_and_differs_from_one_that_is_there(
    side: str, nothing: Any
) -> None:
    other = "new" if side == "old" else "old"
    rulebook = a_rulebook(a_rule("account_address_changed", categories=("financial",)))

    def changed(address: Any) -> list[str]:
        told = {"kind": "mailing", side: nothing, other: address}
        if nothing == "left out":
            del told[side]
        events = [
            account_event("2026-06-01 00:00"),
            an_event("portal.account.address_changed", "2026-06-02 00:00", **told),
        ]
        return [line["outcome"] for line in simulated(events, rulebook)[0]]

    assert changed({"line1": "12 Main St"}) == ["sent"]
    assert changed({"line1": " "}) == []
