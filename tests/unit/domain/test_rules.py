from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.contract.instants import DAY
from app.domain.companies import Company
from app.domain.rules import Late, Rule, Rulebook, send_at

ACME = Company(
    id="acme", name="Acme", from_name="Acme", from_address="a@acme.example", time_zone="Europe/Berlin", send_at="10:30"
)


def a_rule(rule_id: str = "past-due", trigger: str = "invoice_past_due_for_days", **fields: Any) -> Rule:
    return Rule(id=rule_id, trigger=trigger, **fields)


def test_each_version_is_in_force_from_its_beginning_until_the_next_begins() -> None:
    book = Rulebook(
        [a_rule(x=7, version=3, enabled_at=300), a_rule(x=3), a_rule(x=5, version=2, enabled_at=200)], {"acme": ACME}
    )
    found = {instant: book.in_force("past-due", instant) for instant in (-5, 199, 200, 299, 300, 10**18)}
    assert {instant: rule and rule.x for instant, rule in found.items()} == {
        -5: 3,
        199: 3,
        200: 5,
        299: 5,
        300: 7,
        10**18: 7,
    }


def test_nothing_is_in_force_before_the_first_version_begins() -> None:
    book = Rulebook([a_rule(enabled_at=100)], {})
    assert book.in_force("past-due", 99) is None
    assert book.in_force("past-due", 100) is not None


def test_nothing_is_in_force_for_an_unknown_id() -> None:
    book = Rulebook([], {})
    assert book.in_force("past-due", 0) is None
    assert book.versions("past-due") == ()
    assert book.rule_ids_of("invoice_past_due_for_days") == ()


def test_a_disabled_version_is_returned_for_the_caller_to_see_that_it_is_disabled() -> None:
    book = Rulebook([a_rule(), a_rule(enabled=False, enabled_at=50, version=2)], {})
    found = book.in_force("past-due", 50)
    assert found is not None
    assert not found.enabled


def test_versions_come_oldest_first_and_know_their_end() -> None:
    book = Rulebook([a_rule(version=2, enabled_at=20), a_rule(version=3, enabled_at=30), a_rule()], {})
    assert [(v.version, v.enabled_at, v.ends) for v in book.versions("past-due")] == [
        (1, None, 20),
        (2, 20, 30),
        (3, 30, None),
    ]


def test_an_end_that_was_given_does_not_count() -> None:
    book = Rulebook([a_rule(ends=7)], {})
    assert book.versions("past-due")[0].ends is None


def test_of_two_versions_that_begin_together_the_higher_is_in_force() -> None:
    book = Rulebook([a_rule(x=9, version=2, enabled_at=20), a_rule(x=1, version=1, enabled_at=20)], {})
    found = book.in_force("past-due", 20)
    assert found is not None
    assert found.x == 9


def test_rule_ids_of_a_trigger_are_sorted_and_include_every_version_s_trigger() -> None:
    book = Rulebook(
        [
            a_rule("b"),
            a_rule("a"),
            a_rule("c", "payment_failed"),
            a_rule("c", enabled_at=5, version=2),
            a_rule("d", enabled=False),
        ],
        {},
    )
    assert book.rule_ids_of("invoice_past_due_for_days") == ("a", "b", "c", "d")
    assert book.rule_ids_of("payment_failed") == ("c",)


def test_a_rulebook_of_no_record_has_offset_minus_one() -> None:
    assert Rulebook([], {}).offset == -1
    assert Rulebook([], {"acme": ACME}, 41).offset == 41
    assert Rulebook([], {"acme": ACME}).companies["acme"] is ACME


@pytest.mark.parametrize(("rules", "companys", "expected"), [("08:00", "10:30", "08:00"), (None, "10:30", "10:30")])
def test_a_rule_s_send_at_goes_before_its_company_s(rules: str | None, companys: str, expected: str) -> None:
    company = Company(id="c", name="C", from_name="C", from_address="c@c.example", time_zone="UTC", send_at=companys)
    assert send_at(a_rule(send_at=rules), company) == expected


def test_without_any_send_at_day_rules_are_sent_at_nine() -> None:
    company = Company(id="c", name="C", from_name="C", from_address="c@c.example", time_zone="UTC")
    assert send_at(a_rule(), company) == "09:00"


def test_late_is_sent_within_three_days_by_default() -> None:
    assert a_rule().late == Late("send", 3 * DAY)


@given(
    begins=st.lists(st.integers(-(10**15), 10**15), unique=True),
    instant=st.integers(-(10**15), 10**15),
    since_ever=st.booleans(),
)
def test_in_force_is_the_last_version_that_has_begun(begins: list[int], instant: int, *, since_ever: bool) -> None:
    ordered: list[int | None] = [*([None] if since_ever else []), *sorted(begins)]
    rules = [a_rule(version=n, enabled_at=begin) for n, begin in enumerate(ordered, 1)]
    begun = [rule.version for rule in rules if rule.enabled_at is None or rule.enabled_at <= instant]
    found = Rulebook(rules, {}).in_force("past-due", instant)
    assert (found and found.version) == (begun[-1] if begun else None)
