"""The due index names every account in which something comes up, and a stretch of time may be cut anywhere."""

import json
from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.contract.codec import Fact, decode
from app.contract.errors import ContractError
from app.contract.instants import DAY, Instant
from app.domain import keys
from app.domain.book import Book, new_book
from app.domain.companies import Company, Exclusion
from app.domain.delinquency import next_flip
from app.domain.rules import Rulebook
from app.engine import coming
from app.engine.coming import Stretch, company_of, due
from app.engine.decider import Decider, Desk
from app.engine.handler import View
from app.engine.heart import Heart
from app.engine.memory import MemoryStore
from app.engine.records import Cursor, Tick
from app.engine.standing import NEVER
from app.engine.txn import Txn
from app.simulate.run import Notes
from tests.builders import Event, a_company, a_fact, a_rule, a_rulebook, account_event, an_event, at, invoice_event
from tests.lanes import NAMES
from tests.strategies import History, histories, instants, zones

SLOW = settings(
    max_examples=settings.default.max_examples * 3 // 10 if settings.default else 30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""Histories take long to make up: 30 of them unless a profile asks for more."""


class Partition:
    """One partition's rows, and the ticks it has come through."""

    def __init__(self, rulebook: Rulebook, live_since: Instant) -> None:
        self.decider = Decider(NAMES, lambda: rulebook)
        self.store = MemoryStore(self.decider.index)
        self.cursor: Cursor | None = None
        self._live_since = live_since

    def view(self, now: Instant) -> View:
        return View(partition=0, now=now, cursor=self.cursor, live_since=self._live_since, external=True)

    def read(self, facts: Iterable[Fact], now: Instant) -> None:
        txn = Txn(self.store)
        desk = self._desk(txn, now)
        for fact in facts:
            with suppress(ContractError):  # of no company: dead-lettered
                desk.read(fact, fact.time, told_late=False)
        desk.close()
        self._commit(txn)

    def tick(self, tick: Tick) -> None:
        txn = Txn(self.store)
        self.cursor = self.decider.tick(tick, self.cursor, txn, self.view(tick.now), 10_000)
        self._commit(txn)

    def named(self, tick: Tick) -> set[str]:
        """The accounts that the index names for the tick."""
        found = self.decider._due(tick, self._earlier(), Txn(self.store), self.view(tick.now))
        return {keys.account_of_row(account) for account in found}

    def stirred(self, tick: Tick) -> set[str]:
        """The accounts in which the tick decides anything, or changes what they have; each is looked at.

        A change of its company's zone alone an account takes in when it is next looked at.
        """
        accounts = {keys.parse_row(key)[1] for key, _ in self.store.scan(b"account/")}
        return {account for account in accounts if self._stirs(account, tick)}

    def _stirs(self, account: str, tick: Tick) -> bool:
        txn = Txn(self.store)
        desk = self._desk(txn, tick.now)
        desk.advance(account, tick, self._earlier())
        desk.close()
        return bool(txn.changes.keys() - {keys.account_row(account)} or txn.outputs)

    def _earlier(self) -> Instant:
        return self.cursor.instant if self.cursor else NEVER

    def _desk(self, txn: Txn, now: Instant) -> Desk:
        return self.decider._sitting(txn, self.view(now)).desk

    def _commit(self, txn: Txn) -> None:
        self.store.write(txn.changes, self.store.offset + 1)


@SLOW
@given(data=st.data())
def test_the_index_names_every_account_that_a_tick_changes(data: st.DataObject) -> None:
    """Ticks minutes or days apart, after histories of any kind: whom the index does not name, nothing happens to."""
    where = data.draw(zones())
    history = data.draw(histories(where=where, accounts=4))
    partition = Partition(history.rulebook, history.span.begin)
    left = [decode(line, None, keyed=False) for line in history.lines]
    for instant in sorted(data.draw(st.sets(instants(*where, before=4, after=6), min_size=1, max_size=12))):
        partition.read([fact for fact in left if fact.time <= instant], instant)
        left = [fact for fact in left if fact.time > instant]
        tick = Tick(instant, instant)
        assert partition.stirred(tick) <= partition.named(tick)
        partition.tick(tick)


def _read(history: History, until: Instant) -> tuple[Book, Heart]:
    """The first account's book at an instant."""
    heart = Heart(history.rulebook, history.span.begin, Notes())
    book = new_book("a1", NEVER)
    for line in history.lines:
        fact = decode(line, None, keyed=False)
        if fact.subject == "a1" and fact.time <= until:
            book = heart.read(book, fact, fact.time, backlog=False)
    return heart.advance(book, until, until), heart


def _standing(data: st.DataObject) -> tuple[Book, Company | None, Rulebook, Instant]:
    """Some account's book as it stands at some instant, its company, and the rules."""
    where = data.draw(zones())
    history = data.draw(histories(where=where, accounts=1))
    begin = data.draw(instants(*where))
    book, _ = _read(history, begin)
    return book, company_of(book, history.rulebook), history.rulebook, begin


@SLOW
@given(data=st.data())
def test_a_stretch_without_flips_may_be_cut_in_two_anywhere(data: st.DataObject) -> None:
    book, company, rulebook, begin = _standing(data)
    if company is None:
        return
    flip = next_flip(book, company, begin + 5 * DAY)
    end = min(begin + 5 * DAY, begin + 5 * DAY if flip is None else flip)
    end = max(begin, end)
    whole = due(book, company, rulebook, Stretch(begin, end))
    middle = data.draw(st.integers(begin, end) | st.sampled_from([begin, end, *(o.moment for o in whole)]))
    halves = [Stretch(begin, middle), Stretch(middle, end)]
    assert [occasion for half in halves for occasion in due(book, company, rulebook, half)] == whole


@SLOW
@given(data=st.data())
def test_a_rule_that_is_not_asked_would_have_had_nothing_to_say(data: st.DataObject) -> None:
    """Only rules that count from a date that is near are asked: asking all of them, for any day, finds the same."""
    book, company, rulebook, begin = _standing(data)
    if company is None:
        return
    stretch = Stretch(begin, begin + data.draw(st.integers(0, DAY) | st.integers(0, 40 * DAY)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(coming, "_near", lambda _, book_of_rules, id_, *_days: coming._day_rules(book_of_rules, id_))
        patched.setattr(coming, "AROUND", 1000)
        all_asked = due(book, company, rulebook, stretch)
    assert due(book, company, rulebook, stretch) == all_asked


CARD: dict[str, Any] = {"card_id": "c1", "brand": "visa", "last4": "4242", "expires": "2026-06", "autopay": True}


def _partition(*events: Event, **company: Any) -> Partition:
    companies = [a_company(**company)]
    rulebook = a_rulebook(
        a_rule("invoice_becomes_delinquent_in_days", x=1),
        a_rule("invoice_due_in_days", x=0),
        a_rule("account_becomes_delinquent"),
        companies=companies,
    )
    partition = Partition(rulebook, at("2026-06-01 00:00"))
    partition.read([a_fact(event) for event in events], at("2026-06-01 00:00"))
    return partition


def a_tick(text: str) -> Tick:
    return Tick(at(text), at(text))


def test_what_is_known_before_its_account_is_under_no_zone() -> None:
    partition = _partition(
        invoice_event("2026-05-20 12:00"), an_event("billing.card.updated", "2026-05-20 12:00", **CARD)
    )
    assert {key.partition(b"|")[0] for key, _ in partition.store.due(b"", b"\xff")} == {b"wake"}
    partition.tick(a_tick("2026-06-10 09:00"))


def test_days_that_are_all_excluded_are_looked_back_over_no_further_than_the_horizon() -> None:
    never = tuple(Exclusion(weekday=day) for day in range(7))
    partition = _partition(account_event("2026-05-20 12:00"), invoice_event("2026-05-20 12:00"), exclusions=never)
    partition.tick(a_tick("2026-06-10 09:00"))
    assert partition.cursor == Cursor(at("2026-06-10 09:00"), at("2026-06-10 09:00"), None, NEVER)


def test_a_tick_names_only_the_accounts_of_its_dates() -> None:
    events = [
        event
        for number in range(20)
        for event in (
            account_event("2026-05-20 12:00", account=f"a{number:02}"),
            invoice_event("2026-05-20 12:00", account=f"a{number:02}", due_on=str(date(2026, 6, 1 + number))),
        )
    ]
    partition = _partition(*events)
    partition.tick(a_tick("2026-06-06 00:00"))
    # Delinquent since the 6th, from the 7th on, and due on the 6th.
    assert partition.named(a_tick("2026-06-06 09:00")) == {"a00", "a01", "a05"}
    assert partition.named(a_tick("2026-06-06 08:59")) == set()


def test_a_jumped_over_moment_stays_known_when_more_is_read_at_the_change_s_instant() -> None:
    """The account's zone changes over its 09:00, and at the same instant something else is read of it."""
    partition = _partition(
        account_event("2026-05-20 12:00", time_zone="America/New_York"),
        invoice_event("2026-05-20 12:00", due_on="2026-06-11"),
    )
    partition.tick(a_tick("2026-06-10 20:50"))
    changed = account_event("2026-06-10 21:00", time_zone="Asia/Tokyo")
    other = invoice_event("2026-06-10 21:00", invoice_id="i2", due_on="2026-08-01")
    partition.read([a_fact(changed), a_fact(other)], at("2026-06-10 21:00"))
    tick = a_tick("2026-06-10 21:10")
    assert partition.stirred(tick) == partition.named(tick) == {"a1"}


def test_a_card_that_came_inside_its_window_stays_known_when_more_is_read_at_the_same_instant() -> None:
    rulebook = a_rulebook(a_rule("credit_card_expiring", x=1))
    partition = Partition(rulebook, at("2026-06-01 00:00"))
    partition.read([a_fact(account_event("2026-05-20 12:00"))], at("2026-06-01 00:00"))
    partition.tick(a_tick("2026-06-10 11:50"))
    card = an_event("billing.card.updated", "2026-06-10 12:00", **CARD)
    partition.read([a_fact(card), a_fact(invoice_event("2026-06-10 12:00"))], at("2026-06-10 12:00"))
    tick = a_tick("2026-06-10 12:10")
    assert partition.stirred(tick) == partition.named(tick) == {"a1"}


@pytest.mark.parametrize("kind", ["updated", "snapshot"])
def test_what_was_decided_is_forgotten_400_days_after_its_moment(kind: str) -> None:
    partition = _partition(account_event("2026-05-20 12:00", kind=kind), invoice_event("2026-05-20 12:00"))
    partition.tick(a_tick("2026-06-10 09:00"))
    decided = [key for key, _ in partition.store.scan(b"decided/")]
    assert decided == [b"decided/a1/invoice_due_in_days-0|invoice:i1:2026-06-10:0"]
    partition.tick(a_tick("2027-07-15 09:00"))
    assert json.dumps([key.decode() for key, _ in partition.store.scan(b"decided/")]).count("due_in_days") == 1
    partition.tick(a_tick("2027-07-15 09:10"))
    assert not [key for key, _ in partition.store.scan(b"decided/") if b"due_in_days" in key]
