"""Live, ticks come in slices and facts come between them: what is decided must not depend on it."""

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.contract.instants import MINUTE, Instant
from app.dev.play import Played, Ticked, play
from app.domain.rules import Rulebook
from app.engine.decider import Decider
from app.engine.handler import View
from app.engine.memory import MemoryStore
from app.engine.records import Cursor, Output, PlainRecord, Tick
from app.engine.txn import Txn
from app.engine.writing import as_line
from app.simulate.run import Span, simulate
from tests.builders import (
    Event,
    a_payment,
    a_rule,
    a_rulebook,
    a_span,
    account_event,
    at,
    in_brief,
    invoice_event,
    paid,
    simulated,
    written,
)
from tests.compare import differences
from tests.lanes import NAMES
from tests.strategies import History, histories

SLOW = settings(
    max_examples=settings.default.max_examples * 3 // 10 if settings.default else 30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Partition:
    """One partition of a live worker: facts as they come, ticks slice by slice."""

    def __init__(self, rulebook: Rulebook, live_since: Instant) -> None:
        self.outputs: list[Output] = []
        self.cursor: Cursor | None = None
        self._rulebook = lambda: rulebook
        self._decider = Decider(NAMES, self._rulebook)
        self._store = MemoryStore(self._decider.index)
        self._live_since = live_since

    def restart(self) -> None:
        """Go on in another process: with the rows and the cursor, and nothing else."""
        decider = Decider(NAMES, self._rulebook)
        store = MemoryStore(decider.index)
        store.write(dict(self._store.scan(b"")), self._store.offset)
        self._decider, self._store = decider, store

    def read(self, line: bytes, key: bytes | None, now: Instant) -> None:
        txn = Txn(self._store)
        self._decider.records([PlainRecord(NAMES.billing, 0, 0, 0, key, line)], txn, self._view(now))
        self._commit(txn)

    def slice(self, tick: Tick, limit: int) -> bool:
        """Do one slice of the tick; say whether more are to come."""
        txn = Txn(self._store)
        self.cursor = self._decider.tick(tick, self.cursor, txn, self._view(tick.now), limit)
        self._commit(txn)
        return self.cursor.after is not None

    def tick(self, instant: Instant, now: Instant | None = None) -> None:
        while self.slice(Tick(instant, instant if now is None else now), 1):
            pass

    @property
    def decisions(self) -> list[dict[str, Any]]:
        return [json.loads(output.value) for output in self.outputs if output.topic == NAMES.decisions]

    @property
    def dead_letters(self) -> list[dict[str, Any]]:
        return [json.loads(output.value) for output in self.outputs if output.topic == NAMES.dead_letters]

    def _view(self, now: Instant) -> View:
        return View(partition=0, now=now, cursor=self.cursor, live_since=self._live_since, external=False)

    def _commit(self, txn: Txn) -> None:
        self._store.write(txn.changes, self._store.offset + 1)
        self.outputs += txn.outputs


def between_slices(history: History, chances: Iterator[bool]) -> Partition:
    """Play a history in which facts that come after a tick overtake what is left of it, now and then."""
    rulebook, span = history.rulebook, history.span
    partition = Partition(rulebook, span.begin)
    left = list(play(history.lines, Span(span.begin, span.until), 10 * MINUTE, rulebook.companies))
    while left:
        each = left.pop(0)
        if isinstance(each, Played):
            partition.read(each.line.value, each.line.key, each.at)
            continue
        tick = Tick(each.at, each.at)
        while partition.slice(tick, 1):
            while left and not isinstance(left[0], Ticked) and next(chances):
                fact = left.pop(0)
                assert isinstance(fact, Played)
                partition.read(fact.line.value, fact.line.key, fact.at)
    return partition


@SLOW
@given(history=histories(accounts=4, most_pauses=0), random=st.randoms(use_true_random=False))
def test_facts_between_slices_change_no_decision(history: History, random: Any) -> None:
    chances = iter(lambda: random.random() < 0.5, None)
    partition = between_slices(history, chances)
    decisions, _ = simulate(history.lines, history.rulebook, Span(history.span.begin, history.span.until))
    expected = [json.dumps(as_line(decision)) for decision in decisions]
    assert not differences(expected, map(json.dumps, partition.decisions))


@SLOW
@given(history=histories(accounts=3, most_pauses=0), data=st.data())
def test_splitting_a_history_at_any_tick_changes_nothing(history: History, data: st.DataObject) -> None:
    """After any of the ticks the worker ends, and another goes on with what was committed."""
    rulebook, span = history.rulebook, Span(history.span.begin, history.span.until)
    partition = Partition(rulebook, span.begin)
    step = data.draw(st.sampled_from((10 * MINUTE, 15 * MINUTE)))
    played = list(play(history.lines, span, step, rulebook.companies))
    ticks = [number for number, each in enumerate(played) if isinstance(each, Ticked)]
    ends = data.draw(st.sets(st.sampled_from(ticks), min_size=1, max_size=8)) if ticks else set()
    for number, each in enumerate(played):
        if isinstance(each, Ticked):
            partition.tick(each.at)
        else:
            partition.read(each.line.value, each.line.key, each.at)
        if number in ends:
            partition.restart()
    decisions, _ = simulate(history.lines, rulebook, span)
    expected = [json.dumps(as_line(decision)) for decision in decisions]
    assert not differences(expected, map(json.dumps, partition.decisions))


PAST = a_rulebook(a_rule("invoice_past_due_for_days", x=1), a_rule("payment_failed"))
KNOWN = [account_event("2026-05-20 12:00"), invoice_event("2026-05-20 12:00")]


def a_partition(*events: Event) -> Partition:
    partition = Partition(PAST, a_span().begin)
    partition.tick(a_span().begin)
    for event in events:
        partition.read(written(event), b"a1", at("2026-06-01 00:00"))
    return partition


def test_after_an_outage_what_was_missed_is_decided_with_all_facts() -> None:
    """As by `simulate`: paid after the moment."""
    partition = a_partition(*KNOWN)
    partition.read(written(paid("2026-06-11 09:30")), b"a1", at("2026-06-11 18:00"))
    partition.tick(at("2026-06-11 18:00"))
    lines, _ = simulated(
        [*KNOWN, paid("2026-06-11 09:30")],
        PAST,
        a_span("2026-06-01 00:00", "2026-07-01 00:00", ("2026-06-11 08:00", "2026-06-11 18:00")),
    )
    assert in_brief(partition.decisions) == in_brief(lines)
    assert [line["reason"] for line in lines] == ["no_longer_true"]


def test_while_the_ticks_lag_behind_fresh_facts_are_backlog_too() -> None:
    """The tick of nine has not come yet at 18:00: a fact of right now must not be the one to move the clock there."""
    partition = a_partition(*KNOWN)
    partition.read(written(account_event("2026-06-11 18:00")), b"a1", at("2026-06-11 18:00"))
    assert not partition.decisions
    partition.read(written(paid("2026-06-11 17:59")), b"a1", at("2026-06-11 18:00"))
    partition.tick(at("2026-06-11 18:00"))
    assert [line["reason"] for line in partition.decisions] == ["no_longer_true"]


def test_an_event_more_than_15_minutes_ahead_of_now_is_dead_lettered() -> None:
    partition = a_partition(*KNOWN)
    for time in ("2026-06-10 12:15", "2026-06-10T16:15:00.000001Z"):
        partition.read(written(a_payment(time)), b"a1", at("2026-06-10 12:00"))
    assert [(letter["field"], letter["reason"]) for letter in partition.dead_letters] == [
        ("time", "is more than 15 minutes ahead of now")
    ]
    assert len(partition.decisions) == 1


def test_a_dead_letter_between_slices_decides_nothing() -> None:
    """The account's slice of the tick is still to come: it comes with the tick, once."""
    events = [
        event
        for account in ("a1", "a2")
        for event in (
            account_event("2026-05-20 12:00", account=account),
            invoice_event("2026-05-20 12:00", account=account),
        )
    ]
    partition = Partition(PAST, a_span().begin)
    partition.tick(a_span().begin)
    for event in events:
        partition.read(written(event), event["subject"].encode(), at("2026-06-01 00:00"))
    partition.tick(at("2026-06-11 08:50"))
    tick = Tick(at("2026-06-11 09:00"), at("2026-06-11 09:00"))
    assert partition.slice(tick, 1)
    broken = account_event("2026-06-11 09:00", account="a2", company_id="nobody")
    partition.read(written(broken), b"a2", at("2026-06-11 09:00"))
    assert [line["account_id"] for line in partition.decisions] == ["a1"]
    assert not partition.slice(tick, 1)
    assert [line["account_id"] for line in partition.decisions] == ["a1", "a2"]
    assert len(partition.dead_letters) == 1
