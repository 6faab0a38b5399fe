"""What becomes of an occasion: the first reason that applies, at the exact instant from which it does (section 4.1)."""

from typing import Any

import pytest

from app.contract.instants import HOUR, MINUTE, SECOND, Instant
from app.domain.account import Contact
from app.domain.audience import Recipient
from app.domain.decide import Circumstances, Hold, Verdict, decide, is_late, too_late, unchanged
from app.domain.occasion import Decided, Outcome, Pending, Reason
from app.domain.rules import Late, Rule
from tests.builders import a_contact, a_rule, an_occasion, at

MOMENT = at("2026-06-10 09:00")
RULE = a_rule(x=1, late=Late("send", 2 * HOUR))
OPTED_OUT = a_contact(email_opt_out=True)
FULL = Hold(Reason.CAPPED, None)


def verdict(rule: Rule | None = RULE, occasion: dict[str, Any] | None = None, **given: Any) -> Verdict:
    """All is well, and nothing holds it, unless said otherwise."""
    said: dict[str, Any] = {
        "at": MOMENT,
        "decided": None,
        "holds": lambda: True,
        "passes": lambda: True,
        "contacts": lambda: [a_contact()],
        "hold": lambda _recipients: None,
        "superseded": lambda: False,
    }
    said |= {"reckoned": given.get("at", MOMENT)} | given
    return decide(an_occasion(RULE, **(occasion or {})), Circumstances(rule=rule, **said))


def skipped_for(rule: Rule | None = RULE, **given: Any) -> Reason | None:
    found = verdict(rule, **given)
    assert (found.outcome is Outcome.SKIPPED) == (found.reason is not None)
    return found.reason


def test_where_nothing_is_against_it_it_is_sent_to_its_recipients() -> None:
    found = verdict()
    assert (found.outcome, found.reason) == (Outcome.SENT, None)
    assert [recipient.address for recipient in found.recipients] == ["fin@a1.example"]


IN_ORDER: list[tuple[Reason | Outcome, dict[str, Any]]] = [
    (Reason.DUPLICATE, {"decided": Decided((1,), committed=1)}),
    (Reason.RULE_CHANGED, {"rule": a_rule(x=2)}),
    (Reason.NO_LONGER_TRUE, {"holds": lambda: False}),
    (Reason.FILTERED, {"passes": lambda: False}),
    (Reason.EXPIRED, {"occasion": {"expires_at": MOMENT}}),
    (Reason.LATE, {"at": MOMENT + 3 * HOUR}),
    (Outcome.SUPERSEDED, {"superseded": lambda: True}),
    (Reason.NO_RECIPIENT, {"contacts": list[Contact]}),
    (Reason.OPTED_OUT, {"contacts": lambda: [OPTED_OUT]}),
]


@pytest.mark.parametrize("first", range(len(IN_ORDER)))
def test_of_all_that_is_against_it_the_first_in_the_order_of_reasons_is_told(first: int) -> None:
    against: dict[str, Any] = {"hold": lambda _recipients: FULL}
    for _, given in reversed(IN_ORDER[first:]):
        against |= given
    expected = IN_ORDER[first][0]
    found = verdict(**against)
    assert expected in (found.reason, found.outcome)
    assert found.recipients == ()


@pytest.mark.parametrize(
    ("committed", "expected"), [(None, None), (MOMENT, None), (MOMENT - 1, "duplicate"), (MOMENT + 1, "duplicate")]
)
def test_a_duplicate_is_what_is_sent_or_held_at_another_moment(committed: Instant | None, expected: str | None) -> None:
    assert skipped_for(decided=Decided((MOMENT - 1,), committed)) == expected


def test_without_a_version_in_force_the_rule_has_changed() -> None:
    assert skipped_for(None) is Reason.RULE_CHANGED
    assert not unchanged(an_occasion(RULE), None)


@pytest.mark.parametrize("rule", [a_rule(x=1, enabled=False), a_rule(x=2), a_rule("invoice_due_in_days", x=1)])
def test_a_rule_has_changed_that_is_disabled_or_of_another_trigger_or_x(rule: Rule) -> None:
    assert skipped_for(rule) is Reason.RULE_CHANGED
    assert unchanged(an_occasion(RULE), a_rule(x=1, version=7, send_at="10:00"))


@pytest.mark.parametrize(("after", "expected"), [(-1, "expired"), (0, "expired"), (1, None)])
def test_a_link_has_expired_at_the_very_instant_of_its_end(after: int, expected: str | None) -> None:
    assert skipped_for(occasion={"expires_at": MOMENT + after}) == expected


@pytest.mark.parametrize(("late", "expected"), [(15 * MINUTE, False), (15 * MINUTE + 1, True), (-HOUR, False)])
def test_late_is_more_than_15_minutes_after_the_moment(late: Instant, *, expected: bool) -> None:
    assert is_late(an_occasion(RULE), MOMENT + late) is expected


@pytest.mark.parametrize(
    ("policy", "within", "late", "expected"),
    [
        ("send", 2 * HOUR, 2 * HOUR, False),
        ("send", 2 * HOUR, 2 * HOUR + 1, True),
        ("latest_only", 2 * HOUR, 2 * HOUR, False),
        ("latest_only", 2 * HOUR, 2 * HOUR + 1, True),
        ("skip", 2 * HOUR, 15 * MINUTE, False),
        ("skip", 2 * HOUR, 15 * MINUTE + 1, True),
        ("send", SECOND, 15 * MINUTE, False),
    ],
)
def test_too_late_is_late_by_the_rule_s_policy(policy: Any, within: Instant, late: Instant, *, expected: bool) -> None:
    assert too_late(an_occasion(RULE), a_rule(x=1, late=Late(policy, within)), MOMENT + late) is expected


def test_how_late_it_is_is_judged_by_the_instant_that_is_reckoned() -> None:
    assert skipped_for(at=MOMENT + 30 * HOUR, reckoned=MOMENT) is None
    assert skipped_for(at=MOMENT, reckoned=MOMENT + 3 * HOUR) is Reason.LATE


@pytest.mark.parametrize(
    ("why", "release", "held", "expected"),
    [
        ("missed", None, None, MOMENT + 5 * HOUR),
        ("window", MOMENT + 4 * HOUR, MOMENT, MOMENT + HOUR),
        ("window", MOMENT + 5 * HOUR, MOMENT, MOMENT),
        ("window", MOMENT + 6 * HOUR, MOMENT, MOMENT),
        ("capped", MOMENT + 4 * HOUR, MOMENT + HOUR, MOMENT + 2 * HOUR),
        ("kill_switch", None, MOMENT, MOMENT),
        ("unknown_account", MOMENT + 4 * HOUR, MOMENT, MOMENT),
    ],
)
def test_time_spent_held_does_not_count_and_what_passes_after_the_release_does(
    why: str, release: Instant | None, held: Instant | None, expected: Instant
) -> None:
    pending = Pending(an_occasion(RULE), why, MOMENT, release, held)
    assert pending.reckoned(MOMENT + 5 * HOUR) == expected


def test_what_is_held_tells_why_for_whom_and_until_when() -> None:
    asked: list[tuple[Recipient, ...]] = []

    def hold(recipients: tuple[Recipient, ...]) -> Hold:
        asked.append(recipients)
        return Hold(Reason.WINDOW, 7)

    found = verdict(hold=hold)
    assert (found.outcome, found.reason, found.release) == (Outcome.HELD, Reason.WINDOW, 7)
    assert asked == [found.recipients]
    assert [recipient.address for recipient in found.recipients] == ["fin@a1.example"]


def test_what_is_critical_is_neither_held_nor_opted_out_of() -> None:
    critical = a_rule(x=1, critical=True)
    assert verdict(critical, hold=lambda _recipients: FULL).outcome is Outcome.SENT
    assert verdict(critical, contacts=lambda: [OPTED_OUT]).outcome is Outcome.SENT


@pytest.mark.parametrize(
    ("hold", "capped", "late", "outcome"),
    [
        (FULL, True, 2 * HOUR + 1, Outcome.SKIPPED),
        (FULL, True, 2 * HOUR, Outcome.HELD),
        (FULL, False, 2 * HOUR + 1, Outcome.HELD),
        (Hold(Reason.WINDOW, 7), True, 2 * HOUR + 1, Outcome.HELD),
        (None, True, 2 * HOUR + 1, Outcome.SENT),
    ],
)
def test_capped_again_and_by_then_past_within_it_is_capped_for_good(
    hold: Hold | None, late: Instant, outcome: Outcome, *, capped: bool
) -> None:
    found = verdict(at=MOMENT + late, reckoned=MOMENT, capped=capped, hold=lambda _recipients: hold)
    assert found.outcome is outcome
    if outcome is Outcome.SKIPPED:
        assert found == Verdict(Outcome.SKIPPED, Reason.CAPPED)


def test_what_is_not_capped_before_is_what_is_said_of_none() -> None:
    assert verdict(at=MOMENT + 3 * HOUR, reckoned=MOMENT, hold=lambda _recipients: FULL).outcome is Outcome.HELD
