from pathlib import Path

import pytest
from msgspec.structs import replace

from app.config.check import load_dir
from app.contract.instants import parse_instant
from app.domain.builtin import BUILT_IN, BUILT_IN_BY_ID
from app.domain.rules import Rule, Rulebook
from app.triggers import REGISTRY
from tests.unit.config.directories import a_directory, mistakes, rules_of

RESET = "user_forgot_password"


def all_rules(path: Path, text: str) -> tuple[Rule, ...]:
    return load_dir(a_directory(path, rules=text), REGISTRY).rules


def test_every_configuration_has_the_built_in_rules(tmp_path: Path) -> None:
    assert all_rules(tmp_path, "[]") == BUILT_IN


@pytest.mark.parametrize("rule", BUILT_IN, ids=lambda rule: rule.id)
def test_a_built_in_rule_is_of_a_trigger_that_there_is(rule: Rule) -> None:
    assert REGISTRY[rule.trigger].audience == "user"


def test_an_entry_changes_what_it_names_and_the_rest_stays_built_in(tmp_path: Path) -> None:
    rules = all_rules(tmp_path, f"- {{id: {RESET}, trigger: {RESET}, template: own}}")
    assert rules == (BUILT_IN_BY_ID["user_created"], replace(BUILT_IN_BY_ID[RESET], template="own", version=1))


def test_a_built_in_rule_is_no_longer_critical_where_that_is_written(tmp_path: Path) -> None:
    assert not rules_of(tmp_path, f"- {{id: {RESET}, trigger: {RESET}, critical: false}}")[0].critical


def test_another_rule_of_the_same_trigger_is_a_rule_as_any(tmp_path: Path) -> None:
    rule = rules_of(tmp_path, f"- {{id: again, trigger: {RESET}, enabled: false}}")[0]
    assert rule == Rule(id="again", trigger=RESET, enabled=False)


def test_until_a_later_entry_begins_the_built_in_rule_is_in_force(tmp_path: Path) -> None:
    begins = parse_instant("2026-06-01T00:00:00Z")
    rules = all_rules(tmp_path, f"- {{id: {RESET}, trigger: {RESET}, enabled_at: 2026-06-01T00:00:00Z}}")
    book = Rulebook(rules, {})
    found = [book.in_force(RESET, instant) for instant in (begins - 1, begins)]
    assert [rule and rule.version for rule in found] == [0, 1]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("enabled: false", "enabled: user_created is built in: it can be changed, but not disabled"),
        ("trigger: payment_failed", "trigger: user_created is built in: its trigger stays user_created"),
    ],
)
def test_a_built_in_rule_is_neither_disabled_nor_made_another(tmp_path: Path, entry: str, expected: str) -> None:
    trigger = "" if entry.startswith("trigger") else "  trigger: user_created\n"
    found = mistakes(tmp_path, f"- id: user_created\n{trigger}  {entry}\n")
    assert [mistake.split(": ", 1)[1] for mistake in found] == [expected]


def test_a_built_in_rule_of_no_known_trigger_is_one_mistake(tmp_path: Path) -> None:
    assert len(mistakes(tmp_path, "- {id: user_created, trigger: user_create}")) == 1
