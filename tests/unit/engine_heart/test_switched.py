"""Kill switches and the guard's holds, as one account's heart meets them (DOMAIN.md, section 4)."""

from typing import Any

import pytest

from app.contract.instants import HOUR, MINUTE, Instant, parse_instant
from app.domain.book import new_book
from app.domain.companies import Company
from app.domain.rules import Filters, Late, Rule, Rulebook
from app.domain.switches import Guard, Kill, Switches, Trip, TripId
from app.engine.heart import Heart
from app.engine.standing import NEVER
from app.engine.writing import as_line
from app.simulate.run import Notes
from tests.builders import (
    Event,
    a_company,
    a_fact,
    a_payment,
    a_rule,
    account_event,
    at,
    in_brief,
    invoice_event,
    paid,
)

PAST, FAILED = "invoice_past_due_for_days", "payment_failed"
PAST_DUE = f"{PAST}-1 invoice:i1:2026-06-10:1 06-11 09:00"
KILLED = Switches(Kill(all=True))
NOON = "2026-06-10 12:00"


class Ann:
    """One account, its clock, and what is switched."""

    def __init__(self, *rules: Rule, companies: tuple[Company, ...] = (a_company(),), known: bool = True) -> None:
        self.rules = list(rules)
        self.switches = Switches()
        self._companies = {company.id: company for company in companies}
        self._notes = Notes()
        self._book = new_book("a1", NEVER)
        if known:
            self.tell(account_event("2026-05-20 12:00"), invoice_event("2026-05-20 12:00"))

    def tell(self, *events: Event) -> None:
        for event in events:
            fact = a_fact(event)
            self._book = self._heart().read(self._book, fact, max(fact.time, self._book.account.done), backlog=False)

    def reach(self, text: str, now: Instant | None = None) -> None:
        self._book = self._heart().advance(self._book, at(text) + 1, now or at(text))

    def lines(self) -> list[dict[str, Any]]:
        return [as_line(decision) for decision in self._notes.decisions]

    def brief(self) -> list[str]:
        """In the order they were made."""
        return [line for one in self.lines() for line in in_brief([one])]

    def _heart(self) -> Heart:
        rulebook = Rulebook(self.rules, self._companies, switches=self.switches)
        return Heart(rulebook, at("2026-06-01 00:00"), self._notes)


def a_trip(rule: str, instant: Instant = 1, partition: int = 0) -> Trip:
    return Trip(TripId(rule, partition, instant), recipients=1_200, limit=1_000)


def tripped(*trips: Trip) -> Switches:
    return Switches(guard=Guard(open=trips))


def released(switches: Switches, *trips: Trip) -> Switches:
    return Switches(guard=switches.guard.release([trip.id for trip in trips]))


def test_a_kill_switch_holds_day_rules_and_event_rules() -> None:
    ann = Ann(a_rule(PAST, x=1), a_rule(FAILED))
    ann.switches = KILLED
    ann.tell(a_payment(NOON))
    ann.reach("2026-06-11 10:00")
    assert ann.brief() == ["payment_failed payment:p1:1 06-10 12:00 held(kill_switch)", f"{PAST_DUE} held(kill_switch)"]
    ann.reach("2026-06-20 10:00")
    assert len(ann.brief()) == 2, "held is written once"


@pytest.mark.parametrize(("company", "expected"), [("acme", "held(kill_switch)"), ("beta", "sent")])
def test_a_company_s_switch_holds_that_company_s_accounts_alone(company: str, expected: str) -> None:
    ann = Ann(a_rule(PAST, x=1), companies=(a_company(), a_company("beta")))
    ann.switches = Switches(Kill(companies=(company,)))
    ann.reach("2026-06-11 10:00")
    assert ann.brief() == [f"{PAST_DUE} {expected}"]


def test_criticals_pass_the_kill_switch_and_the_guard() -> None:
    ann = Ann(a_rule(FAILED, critical=True))
    ann.switches = Switches(Kill(all=True), Guard(open=(a_trip(FAILED),)))
    ann.tell(a_payment(NOON))
    assert ann.brief() == ["payment_failed payment:p1:1 06-10 12:00 sent"]


def test_switched_off_it_goes_out_with_the_next_move_of_the_clock_and_time_held_is_not_late() -> None:
    ann = Ann(a_rule(PAST, x=1, late=Late("skip")))
    ann.switches = KILLED
    ann.reach("2026-06-11 09:05")
    ann.switches = Switches()
    ann.reach("2026-06-25 10:00")
    assert ann.brief() == [f"{PAST_DUE} held(kill_switch)", f"{PAST_DUE} sent"]
    assert parse_instant(ann.lines()[-1]["decided_at"]) == at("2026-06-25 10:00")


def test_paid_meanwhile_it_is_no_longer_true() -> None:
    ann = Ann(a_rule(PAST, x=1))
    ann.switches = KILLED
    ann.reach("2026-06-11 10:00")
    ann.tell(paid("2026-06-12 10:00"))
    ann.switches = Switches()
    ann.reach("2026-06-12 11:00")
    assert ann.brief() == [f"{PAST_DUE} held(kill_switch)", f"{PAST_DUE} skipped(no_longer_true)"]


def test_a_release_goes_by_the_version_in_force_then() -> None:
    ann = Ann(a_rule(PAST, x=1), a_rule(FAILED))
    ann.switches = KILLED
    ann.tell(a_payment(NOON))
    ann.reach("2026-06-11 10:00")
    ann.rules = [
        a_rule(PAST, x=1, version=2, enabled=False),
        a_rule(FAILED, version=2, when=Filters(company=("other",))),
    ]
    ann.switches = Switches()
    ann.reach("2026-06-12 11:00")
    assert ann.brief()[2:] == [
        "payment_failed payment:p1:1 06-10 12:00 skipped(filtered)",
        f"{PAST_DUE} skipped(rule_changed)",
    ]


def test_released_outside_the_sending_hours_it_waits_for_them_though_it_was_held_within() -> None:
    ann = Ann(a_rule(FAILED), companies=(a_company(window=(8 * 60, 20 * 60)),))
    ann.switches = KILLED
    ann.tell(a_payment("2026-06-10 19:55"))
    ann.switches = Switches()
    ann.reach("2026-06-10 20:05")
    assert len(ann.brief()) == 1
    ann.reach("2026-06-11 08:10")
    assert ann.brief() == [
        "payment_failed payment:p1:1 06-10 19:55 held(kill_switch)",
        "payment_failed payment:p1:1 06-10 19:55 sent",
    ]
    assert parse_instant(ann.lines()[-1]["decided_at"]) == at("2026-06-11 08:00")


def test_a_trip_holds_the_whole_rule_and_no_other() -> None:
    ann = Ann(a_rule(FAILED), a_rule(FAILED, "other"))
    ann.switches = tripped(a_trip(FAILED, partition=3))
    ann.tell(a_payment(NOON), a_payment("2026-06-10 13:00", payment_id="p2"))
    assert ann.brief() == [
        "other payment:p1:1 06-10 12:00 sent",
        "payment_failed payment:p1:1 06-10 12:00 held(guard)",
        "other payment:p2:1 06-10 13:00 sent",
        "payment_failed payment:p2:1 06-10 13:00 held(guard)",
    ]


def test_a_release_frees_what_was_held_under_its_trips_and_nothing_else() -> None:
    first, second = a_trip(FAILED, 1), a_trip(FAILED, 2)
    ann = Ann(a_rule(FAILED))
    ann.switches = tripped(first)
    ann.tell(a_payment(NOON))
    ann.switches = tripped(first, second)
    ann.tell(a_payment("2026-06-10 13:00", payment_id="p2"))
    ann.switches = released(ann.switches, first)
    ann.reach("2026-06-10 14:00")
    assert ann.brief() == [
        "payment_failed payment:p1:1 06-10 12:00 held(guard)",
        "payment_failed payment:p2:1 06-10 13:00 held(guard)",
        "payment_failed payment:p1:1 06-10 12:00 sent",
    ], "what is free is sent though a later trip holds the rule"
    ann.switches = released(ann.switches, second)
    ann.reach("2026-06-10 15:00")
    assert ann.brief()[3:] == ["payment_failed payment:p2:1 06-10 13:00 sent"]


def test_what_the_guard_let_go_stays_free_while_another_reason_holds_it() -> None:
    ann = Ann(a_rule(FAILED))
    ann.switches = tripped(a_trip(FAILED, 1))
    ann.tell(a_payment(NOON))
    guard = ann.switches.guard.release([a_trip(FAILED, 1).id]).tripped(a_trip(FAILED, 2))
    ann.switches = Switches(Kill(all=True), guard)
    ann.reach("2026-06-10 13:00")
    ann.switches = Switches(guard=guard)
    ann.reach("2026-06-10 14:00")
    assert [line.rpartition(" ")[2] for line in ann.brief()] == ["held(guard)", "sent"]


def test_the_kill_switch_comes_before_the_guard_which_takes_over_when_it_is_off() -> None:
    trip = a_trip(FAILED)
    ann = Ann(a_rule(FAILED))
    ann.switches = Switches(Kill(all=True), Guard(open=(trip,)))
    ann.tell(a_payment(NOON))
    ann.switches = tripped(trip)
    ann.reach("2026-06-10 13:00")
    assert ann.brief() == ["payment_failed payment:p1:1 06-10 12:00 held(kill_switch)"]
    ann.switches = released(ann.switches, trip)
    ann.reach("2026-06-10 14:00")
    assert ann.brief()[1:] == ["payment_failed payment:p1:1 06-10 12:00 sent"]


def test_what_waits_for_its_account_is_held_by_a_switch_when_that_comes() -> None:
    ann = Ann(a_rule(FAILED), known=False)
    ann.switches = KILLED
    ann.tell(a_payment(NOON), account_event("2026-06-10 12:30"))
    ann.switches = Switches()
    ann.reach("2026-06-10 13:00")
    assert [line.rpartition(" ")[2] for line in ann.brief()] == ["held(unknown_account)", "sent"]


def test_a_day_rule_held_over_its_next_moments_decides_each_once() -> None:
    ann = Ann(a_rule(PAST, x=1), a_rule(PAST, x=2))
    ann.switches = KILLED
    for day in range(11, 20):
        ann.reach(f"2026-06-{day} 09:00")
        ann.reach(f"2026-06-{day} 09:00", at(f"2026-06-{day} 09:00") + MINUTE)
    ann.switches = Switches()
    for hours in range(3):
        ann.reach("2026-06-20 10:00", at("2026-06-20 10:00") + hours * HOUR)
    assert sorted(line.rpartition(" ")[2] for line in ann.brief()) == ["held(kill_switch)"] * 2 + ["sent"] * 2
    assert {line["moment"] for line in ann.lines()} == {"2026-06-11T13:00:00Z", "2026-06-12T13:00:00Z"}
