from collections import Counter
from functools import cache
from pathlib import Path

from app.config.check import Config, load_dir
from app.contract.codec import decode
from app.contract.errors import ContractError, UnknownType
from app.dev.provider import history, span
from app.domain.builtin import BUILT_IN
from app.domain.decision import Decision
from app.domain.rules import Rulebook
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


def test_the_shipped_configuration_names_triggers_that_there_are() -> None:
    assert {rule.trigger for rule in config().rules} <= set(REGISTRY)


def test_every_rule_has_something_to_send() -> None:
    assert {decision.rule for decision in decided() if decision.outcome == "sent"} == {
        rule.id for rule in config().rules if rule not in BUILT_IN
    }


def test_the_history_shows_why_something_is_not_sent() -> None:
    reasons = {decision.reason for decision in decided()}
    assert {"no_recipient", "opted_out", "late", "no_longer_true"} <= reasons


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
