"""The same log gives the same decisions, however it is read (ARCHITECTURE.md, section 7, invariant 7)."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.contract.codec import decode
from app.contract.instants import MINUTE, Instant, parse_instant
from app.domain.book import new_book
from app.engine.batch import Bounds
from app.engine.decider import NEVER
from app.engine.heart import Heart
from app.engine.writing import as_line
from app.simulate.run import Notes, Span, simulate
from app.triggers import DAY_TRIGGERS
from tests.compare import differences
from tests.lanes import decided_by_a_lane, logs_of
from tests.strategies import History, histories

SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
QUARTER = 15 * MINUTE


def lines_of(history: History) -> list[dict[str, Any]]:
    decisions, breaches = simulate(history.lines, history.rulebook, history.span)
    assert not breaches
    return [as_line(decision) for decision in decisions]


def compared(expected: Sequence[dict[str, Any]], actual: Sequence[dict[str, Any]]) -> list[str]:
    return differences(map(json.dumps, expected), map(json.dumps, actual))


@settings(SLOW, max_examples=15)
@given(
    history=histories(accounts=3),
    records=st.sampled_from((1, 3, 2_000)),
    slice_=st.sampled_from((1, 2, 500)),
)
def test_a_lane_in_external_mode_decides_what_simulate_decides(history: History, records: int, slice_: int) -> None:
    logs = logs_of(history.lines, history.span, QUARTER)
    decided = decided_by_a_lane(logs, history.rulebook, Bounds(records=records, slice=slice_))
    assert not compared(lines_of(history), decided)


@settings(SLOW, max_examples=40)
@given(
    history=histories(accounts=1, most_pauses=0),
    steps=st.lists(st.integers(5 * MINUTE, QUARTER), min_size=1, max_size=30),
)
def test_the_clock_may_move_on_at_any_instant_between_events(history: History, steps: list[Instant]) -> None:
    """Ticks as dense as every 15 minutes, at arbitrary instants, decide what a clock without ticks decides."""
    notes = Notes()
    heart = Heart(history.rulebook, history.span.begin, notes)
    book, clock = new_book("a1", NEVER), history.span.begin
    newest = NEVER
    history = history.with_events([event for event in history.events if "user" not in event["type"]])
    for fact in (decode(line, None, keyed=False) for line in history.lines):
        newest = max(newest, fact.time)
        while clock < min(newest, history.span.until):
            book = heart.advance(book, clock + 1, clock)
            clock += steps[clock % len(steps)]
        if newest <= history.span.until:
            book = heart.read(book, fact, newest, backlog=False)
    while clock < history.span.until:
        book = heart.advance(book, clock + 1, clock)
        clock += steps[clock % len(steps)]
    heart.advance(book, history.span.until + 1, history.span.until)
    assert not compared(lines_of(history), [as_line(decision) for decision in notes.decisions])


@settings(SLOW, max_examples=40)
@given(history=histories(), data=st.data())
def test_an_event_that_comes_again_changes_nothing(history: History, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(history.events) - 1))
    again = data.draw(st.integers(at + 1, len(history.events)))
    events = [*history.events[:again], history.events[at], *history.events[again:]]
    assert not compared(lines_of(history), lines_of(history.with_events(events)))


@settings(SLOW, max_examples=40)
@given(history=histories(accounts=3), data=st.data())
def test_the_order_of_different_accounts_in_the_file_does_not_matter(history: History, data: st.DataObject) -> None:
    accounts = data.draw(st.permutations(sorted({event["subject"] for event in history.events})))
    events = sorted(history.events, key=lambda event: accounts.index(event["subject"]))
    assert not compared(lines_of(history), lines_of(history.with_events(events)))


@settings(SLOW, max_examples=40)
@given(history=histories(most_pauses=0))
def test_a_day_rule_decides_once_per_rule_account_and_subject(history: History) -> None:
    days = {trigger.id for trigger in DAY_TRIGGERS}
    final = [line for line in lines_of(history) if line["trigger"] in days and line["outcome"] != "held"]
    identities = [(line["rule"], line["account_id"], line["subject"]) for line in final]
    assert len(identities) == len(set(identities))


@settings(SLOW, max_examples=40)
@given(history=histories())
def test_what_is_held_is_followed_by_one_final_decision_and_no_other_identity_has_two(history: History) -> None:
    lines = lines_of(history.with_span(Span(history.span.begin, history.span.until + 30 * 24 * 60 * MINUTE)))
    identity = ("rule", "account_id", "subject", "moment")
    final = [tuple(line[name] for name in identity) for line in lines if line["outcome"] != "held"]
    held = [tuple(line[name] for name in identity) for line in lines if line["outcome"] == "held"]
    assert len(final) == len(set(final))
    assert len(held) == len(set(held))
    assert set(held) <= set(final)


@settings(SLOW, max_examples=40)
@given(history=histories())
def test_what_comes_up_never_depends_on_an_outage(history: History) -> None:
    """An outage changes outcomes, not what there is to decide; what only came late may hold no longer."""
    quiet = history.with_span(Span(history.span.begin, history.span.until))
    lasting = all(pause.end <= history.span.until for pause in history.span.pauses)

    if lasting and not _lags(history):
        assert _moments(lines_of(history)) == _moments(lines_of(quiet))


def _lags(history: History) -> bool:
    newest: dict[str, Instant] = {}
    for event in history.events:
        time = parse_instant(event["time"])
        if time < newest.get(event["subject"], NEVER):
            return True
        newest[event["subject"]] = time
    return False


def _moments(lines: Sequence[dict[str, Any]]) -> set[tuple[str, ...]]:
    return {(line["rule"], line["account_id"], line["subject"], line["moment"]) for line in lines}
