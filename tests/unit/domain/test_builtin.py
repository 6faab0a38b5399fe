import pytest

from app.domain.builtin import BUILT_IN, with_built_in
from app.domain.rules import Rule, Rulebook


def in_force(rules: list[Rule], instant: int) -> Rule | None:
    return Rulebook(with_built_in(rules), {}).in_force("user_created", instant)


@pytest.mark.parametrize("rule", BUILT_IN, ids=lambda rule: rule.id)
def test_a_built_in_rule_is_enabled_since_ever_critical_and_named_after_its_trigger(rule: Rule) -> None:
    assert (rule.trigger, rule.critical, rule.enabled, rule.enabled_at) == (rule.id, True, True, None)


def test_built_in_rules_are_those_two() -> None:
    assert [rule.id for rule in with_built_in([])] == ["user_created", "user_forgot_password"]


def test_a_version_since_ever_takes_the_place_of_the_built_in_one() -> None:
    own = Rule(id="user_created", trigger="user_created", template="own")
    found = in_force([own], -(10**15))
    assert found is not None
    assert found.template == "own"
    assert len(with_built_in([own])) == len(BUILT_IN)


def test_before_a_later_version_begins_the_built_in_one_is_in_force() -> None:
    later = Rule(id="user_created", trigger="user_created", template="own", enabled_at=100)
    assert [rule and (rule.version, rule.template) for rule in (in_force([later], 99), in_force([later], 100))] == [
        (0, None),
        (1, "own"),
    ]
