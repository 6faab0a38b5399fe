"""The same log gives the same decisions, however it is read (ARCHITECTURE.md, section 7, invariant 7)."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from app.contract.codec import Fact, decode
from app.contract.instants import DAY, MINUTE, Instant, parse_instant
from app.domain.apply import apply
from app.domain.book import Book, new_book
from app.domain.rules import Rulebook
from app.engine.batch import Bounds
from app.engine.heart import Heart, book_of
from app.engine.standing import NEVER
from app.engine.writing import as_line
from app.simulate.run import Notes, Span, simulate
from app.triggers import DAY_TRIGGERS
from tests.compare import differences
from tests.lanes import decided_by_a_lane, logs_of
from tests.strategies import History, histories

SLOW = settings(
    max_examples=settings.default.max_examples * 3 // 10 if settings.default else 30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""Histories take long to make up: 30 of them unless a profile asks for more."""
QUARTER = 15 * MINUTE


def lines_of(history: History) -> list[dict[str, Any]]:
    return decided(history, history.rulebook)


def decided(history: History, rulebook: Rulebook) -> list[dict[str, Any]]:
    decisions, breaches = simulate(history.lines, rulebook, history.span)
    assert {breach.field for breach in breaches} <= {"data.company_id"}
    return [as_line(decision) for decision in decisions]


def compared(expected: Sequence[dict[str, Any]], actual: Sequence[dict[str, Any]]) -> list[str]:
    return differences(map(json.dumps, expected), map(json.dumps, actual))


@SLOW
@given(
    history=histories(accounts=3),
    records=st.sampled_from((1, 3, 2_000)),
    slice_=st.sampled_from((1, 2, 500)),
)
def test_a_lane_in_external_mode_decides_what_simulate_decides(history: History, records: int, slice_: int) -> None:
    logs = logs_of(history.lines, history.span, history.rulebook.companies, QUARTER)
    decided = decided_by_a_lane(logs, history.rulebook, Bounds(records=records, slice=slice_))
    assert not compared(lines_of(history), decided)


@SLOW
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
    for fact in _facts(history, "a1"):
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
    alone = history.with_events([event for event in history.events if "user" not in event["type"]])
    assert not compared(lines_of(alone), [as_line(decision) for decision in notes.decisions])


@SLOW
@given(history=histories(), data=st.data())
def test_replaying_any_part_of_a_history_changes_nothing(history: History, data: st.DataObject) -> None:
    """One event or many, at once or events later, in their order or in another; ten days go on from there."""
    history = history.with_span(Span(history.span.begin, history.span.until + 10 * DAY, history.span.pauses))
    events = list(history.events)
    part = data.draw(st.lists(st.sampled_from(history.events), min_size=1, max_size=2 * len(events)))
    for event in part:
        first = events.index(event)
        events.insert(data.draw(st.integers(first + 1, len(events))), event)
    assert not compared(lines_of(history), lines_of(history.with_events(events)))


@SLOW
@given(history=histories(accounts=3), data=st.data())
def test_the_order_of_different_accounts_in_the_file_does_not_matter(history: History, data: st.DataObject) -> None:
    accounts = data.draw(st.permutations(sorted({event["subject"] for event in history.events})))
    events = sorted(history.events, key=lambda event: accounts.index(event["subject"]))
    assert not compared(lines_of(history), lines_of(history.with_events(events)))


@SLOW
@given(history=histories(), data=st.data())
def test_a_day_rule_decides_once_per_rule_account_and_subject(history: History, data: st.DataObject) -> None:
    """Also where its send time changes in the course of a day, so that what was sent would come up once more."""
    days = {trigger.id for trigger in DAY_TRIGGERS}
    rules = [replace(rule, send_at="00:30") for rule in history.rules if rule.trigger in days and rule.version == 1]
    changed = data.draw(st.integers(history.span.begin, history.span.until))
    later = [replace(rule, send_at="23:45", version=2, enabled_at=changed) for rule in rules]
    rulebook = Rulebook([*rules, *later], history.rulebook.companies)
    final = [line for line in decided(history, rulebook) if line["outcome"] != "held"]
    identities = [(line["rule"], line["account_id"], line["subject"]) for line in final]
    assert len(identities) == len(set(identities))


@SLOW
@given(history=histories())
def test_what_is_held_is_followed_by_one_final_decision_and_no_other_identity_has_two(history: History) -> None:
    lines = lines_of(history.with_span(Span(history.span.begin, history.span.until + 30 * DAY)))
    identity = ("rule", "account_id", "subject", "moment")
    final = [tuple(line[name] for name in identity) for line in lines if line["outcome"] != "held"]
    held = [tuple(line[name] for name in identity) for line in lines if line["outcome"] == "held"]
    assert len(final) == len(set(final))
    assert len(held) == len(set(held))
    assert set(held) <= set(final)


@SLOW
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
        if event["data"].get("company_id") == "nobody":
            continue
        if time < newest.get(event["subject"], NEVER):
            return True
        newest[event["subject"]] = time
    return False


def _moments(lines: Sequence[dict[str, Any]]) -> set[tuple[str, ...]]:
    return {(line["rule"], line["account_id"], line["subject"], line["moment"]) for line in lines}


OF_OPEN_INVOICES = (
    "invoice_due_in_days",
    "invoice_past_due_for_days",
    "invoice_becomes_delinquent_in_days",
    "invoice_delinquent_for_days",
)


@SLOW
@given(history=histories(most_pauses=0))
def test_nothing_is_sent_about_an_invoice_that_is_known_to_be_paid(history: History) -> None:
    """Whatever was read by the instant of a decision to send, lagging or not, says that something is owed."""
    for line in lines_of(history):
        if line["outcome"] == "sent" and line["trigger"] in OF_OPEN_INVOICES:
            book = _known(history, line["account_id"], parse_instant(line["decided_at"]))
            invoice = book.invoices[line["subject"].split(":")[1]]
            assert invoice.status == "open"
            assert invoice.balance > 0


def _known(history: History, account: str, until: Instant) -> Book:
    book, newest = new_book(account, NEVER), NEVER
    for fact in _facts(history, account):
        if not book.has_seen(fact.source, fact.id):
            newest = max(newest, fact.time)
            if newest <= until:
                book = apply(book.seeing(fact.source, fact.id), fact)
    return book


def _facts(history: History, account: str) -> Iterator[Fact]:
    """What is read of an account: without what is dead-lettered for its company."""
    for line, event in zip(history.lines, history.events, strict=True):
        fact = decode(line, None, keyed=False)
        if book_of(fact) == account and event["data"].get("company_id") != "nobody":
            yield fact
