from collections import Counter
from functools import cache
from pathlib import Path

import msgspec

from app.config.check import Config, load_dir
from app.contract.codec import EVENT_TYPES, decode
from app.contract.errors import ContractError, UnknownType
from app.dev.provider import history, span
from app.domain.decision import Decision
from app.domain.rules import Filters, Hours, Rule, Rulebook
from app.simulate.run import simulate
from app.triggers import REGISTRY

CONFIG = Path(__file__).parents[2] / "deploy" / "config"


@cache
def config() -> Config:
    return load_dir(CONFIG, REGISTRY)


@cache
def decided() -> tuple[Decision, ...]:
    decisions, _ = simulate(history(), Rulebook(config().rules, config().companies), span())
    return tuple(decisions)


def outcome(line: bytes) -> str:
    try:
        decode(line, None, keyed=False)
    except UnknownType:
        return "unknown"
    except ContractError:
        return "broken"
    return "sound"


def test_the_same_seed_tells_the_same_history_and_another_another() -> None:
    assert list(history(20, seed=1)) == list(history(20, seed=1))
    assert list(history(20, seed=1)) != list(history(20, seed=2))


def test_an_accounts_story_does_not_depend_on_how_many_there_are() -> None:
    assert set(history(19)) <= set(history(30))


def test_every_rule_has_something_to_send() -> None:
    assert {decision.rule for decision in decided() if decision.outcome == "sent"} == {
        rule.id for rule in config().rules
    }


def test_every_trigger_has_a_rule_and_something_to_send() -> None:
    assert {decision.trigger for decision in decided() if decision.outcome == "sent"} == set(REGISTRY)


def test_the_shipped_rules_use_every_kind_of_option() -> None:
    rules = config().rules
    assert {rule.late.policy for rule in rules} == {"send", "latest_only", "skip"}
    for options, kind in (
        (rules, Rule),
        ([rule.when for rule in rules], Filters),
        ([rule.hours for rule in rules], Hours),
    ):
        unused = set(kind.__struct_fields__) - {name for each in options for name in msgspec.to_builtins(each)}
        assert unused <= {"channels", "template", "enabled", "enabled_at", "ends"}


def test_the_history_shows_why_something_is_not_sent() -> None:
    reasons = {decision.reason for decision in decided()}
    assert reasons >= {"no_recipient", "opted_out", "late", "no_longer_true", "filtered", "expired"}


def test_the_history_shows_why_something_waits_and_what_is_superseded() -> None:
    assert {decision.reason for decision in decided() if decision.outcome == "held"} == {
        "unknown_account",
        "holiday",
        "weekday",
        "window",
        "capped",
    }
    assert "superseded" in {decision.outcome for decision in decided()}


def test_every_type_of_event_comes_up() -> None:
    sound = (line for line in history() if outcome(line) == "sound")
    assert {decode(line, None, keyed=False).type for line in sound} == set(EVENT_TYPES)


def test_some_records_are_broken_and_almost_all_are_sound() -> None:
    outcomes = Counter(outcome(line) for line in history())
    assert outcomes["broken"] >= 10
    assert outcomes["unknown"] >= 1
    assert outcomes["sound"] > 0.99 * (outcomes.total() - 10)


def test_some_events_are_sent_twice_and_some_lag() -> None:
    sound = [line for line in history() if outcome(line) == "sound"]
    assert len(set(sound)) < len(sound)
    clocks: dict[str, int] = {}
    lagging = 0
    for line in sound:
        fact = decode(line, None, keyed=False)
        lagging += fact.time < clocks.get(fact.subject, fact.time)
        clocks[fact.subject] = max(clocks.get(fact.subject, fact.time), fact.time)
    assert lagging >= 30
