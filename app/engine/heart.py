"""One account's course: facts are read, its clock moves, moments come up and are decided (DOMAIN.md, section 4).

The same code runs in a worker and in `simulate`; only who keeps books and decisions differs.
"""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from app.contract.codec import Fact
from app.contract.errors import ContractError
from app.contract.instants import DAY, Instant
from app.contract.types import AccountData
from app.domain.account import Muted
from app.domain.apply import apply, in_zone
from app.domain.book import Book
from app.domain.decide import ON_TIME
from app.domain.delinquency import filed, next_flip, settle, settle_silently
from app.domain.occasion import Occasion, Pending
from app.domain.rules import Rulebook
from app.engine.coming import Stretch, applies, company_of, due
from app.engine.judge import Judge, Up, recall
from app.engine.ledger import Ledger
from app.triggers import EVENT_TRIGGERS

UNKNOWN_FOR = DAY
"""How long an event of an unknown account waits for its account."""


class Heart:
    """Reads facts and moves clocks by one configuration; before `live_since` nothing comes up."""

    def __init__(self, rulebook: Rulebook, live_since: Instant, ledger: Ledger) -> None:
        """Take what holds for a whole batch."""
        self._rulebook = rulebook
        self._live_since = live_since
        self._ledger = ledger
        self._judge = Judge(rulebook, ledger)

    def check(self, fact: Fact) -> None:
        """Look at what only the configuration tells, before any clock moves on: a dead letter moves none.

        Raises:
            ContractError: The fact names a company that is not configured.
        """
        if isinstance(fact.data, AccountData) and fact.data.company_id not in self._rulebook.companies:
            raise ContractError("data.company_id", "no such company is configured")

    def read(self, book: Book, fact: Fact, now: Instant, *, backlog: bool) -> Book:
        """Return the account's book after the fact, read at `now`.

        The fact has passed `check`.
        """
        if book.has_seen(fact.source, fact.id):
            return book
        if fact.time > book.account.done:
            book = self._park(book, fact.time) if backlog else self.advance(book, fact.time, now)
        at = book.account.done
        before = self._at_midnight(book, at) if fact.is_snapshot else book
        book = self._taken(before.seeing(fact.source, fact.id), fact, at)
        if fact.is_snapshot:
            book = self._muting(before, book, at)
        elif fact.time < at:
            book = self._lagging(before, book, fact.time)
        self._called_up(before, book, fact, now)
        return self._waking(self._released(before, self._unknown(before, book, fact, now), now), at)

    def advance(self, book: Book, to: Instant, now: Instant | None) -> Book:
        """Decide what comes up before `to` (exclusive), and what has waited for the clock to move on.

        `now` is the instant of deciding; None is a clock so dense that every moment is decided at once.
        """
        if to <= book.account.done:
            return book
        waiting = [p for p in book.pending.values() if p.why != "unknown_account" or p.since + UNKNOWN_FOR < to]
        up = [Up(book, p, _decided_at(p, now)) for p in waiting]
        book = replace(book, pending={k: p for k, p in book.pending.items() if p not in waiting}) if waiting else book
        book, came = self._through(book, to)
        up += [Up(then, p, _decided_at(p, now), just_now=True) for then, p in came]
        self._judge.decide_all(up, book)
        return self._woken(book)

    def _through(self, book: Book, to: Instant) -> tuple[Book, list[tuple[Book, Pending]]]:
        """Move the clock to `to`, flip by flip; return what comes up, each with the book of its moment."""
        came: list[tuple[Book, Pending]] = []
        company = company_of(book, self._rulebook)
        if company is None:
            return replace(book, account=replace(book.account, done=to)), came
        book = in_zone(book, company, book.account.done)
        known = set(book.pending)
        while True:
            flip = next_flip(book, company)
            end = to if flip is None else min(flip, to)
            begin = max(book.account.done, self._live_since)
            for occasion in due(book, company, self._rulebook, Stretch(begin, end)) if begin < end else ():
                identity = occasion.rule, occasion.subject
                if identity not in known and not self._decided(book, occasion) and not is_muted(book, occasion):
                    known.add(identity)
                    came.append((book, Pending(occasion, "missed", occasion.moment)))
            book = replace(book, account=replace(book.account, done=end))
            if flip is None or flip >= to:
                return book, came
            book = settle(book, company, flip)
            book = filed(book, book.account.clock.day(flip)) if book.account.clock else book

    def _park(self, book: Book, to: Instant) -> Book:
        """Move the clock through a backlog: what comes up waits for the tick, to be decided with all facts."""
        book, came = self._through(book, to)
        parked = {(p.occasion.rule, p.occasion.subject): p for _, p in came}
        return replace(book, pending=book.pending | parked) if parked else book

    def _decided(self, book: Book, occasion: Occasion) -> bool:
        return recall(self._ledger, book, occasion) is not None

    def _taken(self, book: Book, fact: Fact, at: Instant) -> Book:
        """Apply the fact, and move invoices in and out as of `at`: its own time, or the clock where that is later."""
        book = apply(book, fact)
        company = company_of(book, self._rulebook)
        if company is None:
            return book
        book = in_zone(book, company, at)
        book = settle_silently(book, company, at) if fact.is_snapshot else settle(book, company, at)
        return filed(book, book.account.clock.day(at)) if book.account.clock else book

    def _at_midnight(self, book: Book, at: Instant) -> Book:
        """Move in what is due at `at` by itself: no finding of the snapshot's, should it come at a local midnight."""
        company = company_of(book, self._rulebook)
        return book if company is None else settle(book, company, at)

    def _lagging(self, before: Book, book: Book, time: Instant) -> Book:
        """Call up the day moments since the fact's time that hold with it and would not without it."""
        new = dict(book.pending)
        for occasion in self._started(before, book, Stretch(max(time, self._live_since), book.account.done)):
            identity = (occasion.rule, occasion.subject)
            if identity not in new and not self._decided(book, occasion):
                new[identity] = Pending(occasion, "lagging", book.account.done)
        return replace(book, pending=new) if len(new) > len(book.pending) else book

    def _muting(self, before: Book, book: Book, at: Instant) -> Book:
        """Note which moments the snapshot would start at its own instant: it never fires anything."""
        started = self._started(before, book, Stretch(max(at, self._live_since), at + 1))
        identities = [(occasion.rule, occasion.subject) for occasion in started]
        earlier = before.account.muted
        if earlier is not None and earlier.at == at:
            identities += earlier.identities
        muted = Muted(at, tuple(identities)) if identities else None
        return book if muted == book.account.muted else replace(book, account=replace(book.account, muted=muted))

    def _started(self, before: Book, book: Book, stretch: Stretch) -> Iterator[Occasion]:
        """Yield the day moments of the stretch that hold by `book` and do not by `before`."""
        old, company = company_of(before, self._rulebook), company_of(book, self._rulebook)
        if company is None or stretch.begin >= stretch.end:
            return
        without = {(o.rule, o.subject) for o in due(before, old, self._rulebook, stretch)} if old else set()
        for occasion in due(book, company, self._rulebook, stretch):
            if (occasion.rule, occasion.subject) not in without:
                yield occasion

    def _called_up(self, before: Book, book: Book, fact: Fact, now: Instant) -> None:
        if book.account.details is None:
            return
        for occasion in self._occasions(before, book, fact):
            pending = Pending(occasion, "missed", occasion.moment)
            self._judge.decide(Up(book, pending, _decided_at(pending, now)), book)

    def _occasions(self, before: Book, book: Book, fact: Fact) -> Iterable[Occasion]:
        """Return the event rules that the fact calls up, by rule."""
        if fact.time < self._live_since or fact.is_snapshot:
            return []
        found = []
        for trigger in EVENT_TRIGGERS:
            occurrence = trigger.occurs(before, book, fact) if self._rulebook.rule_ids_of(trigger.id) else None
            for rule_id in self._rulebook.rule_ids_of(trigger.id) if occurrence else ():
                rule = self._rulebook.in_force(rule_id, fact.time)
                if occurrence and rule and rule.enabled and rule.trigger == trigger.id and applies(rule, fact.time):
                    found.append(
                        Occasion(
                            rule=rule.id,
                            version=rule.version,
                            trigger=trigger.id,
                            x=rule.x,
                            subject=occurrence.subject,
                            moment=fact.time,
                            about=occurrence.about,
                            facts=occurrence.facts or None,
                        )
                    )
        return sorted(found, key=lambda occasion: (occasion.rule, occasion.subject))

    def _unknown(self, before: Book, book: Book, fact: Fact, now: Instant) -> Book:
        """Hold what the fact calls up while its account is unknown."""
        if book.account.details is not None:
            return book
        new = dict(book.pending)
        for occasion in self._occasions(before, book, fact):
            if self._judge.hold_unknown(book, occasion, now):
                new[occasion.rule, occasion.subject] = Pending(occasion, "unknown_account", now)
        return replace(book, pending=new) if len(new) > len(book.pending) else book

    def _released(self, before: Book, book: Book, now: Instant) -> Book:
        """Decide what waited for this account, on its first event."""
        if before.account.details is not None or book.account.details is None or not book.pending:
            return book
        held = [p for p in book.pending.values() if p.why == "unknown_account"]
        self._judge.decide_all([Up(book, p, now) for p in held], book)
        return replace(book, pending={k: p for k, p in book.pending.items() if p not in held})

    def _waking(self, book: Book, at: Instant) -> Book:
        """Note that the next clock move must look at the account: a flip or a change of zone has just made moments."""
        flipped = any(i.flipped_at == at and not i.silent for i in book.invoices.values())
        clock = book.account.clock
        moved = clock is not None and clock.passed is not None and clock.since == at
        return self._woken(book, at if flipped or moved else None)

    def _woken(self, book: Book, wake: Instant | None = None) -> Book:
        """Set when the next clock move must look at the account, whatever its dates say."""
        wakes = [p.since + UNKNOWN_FOR if p.why == "unknown_account" else 0 for p in book.pending.values()]
        wake = min(wakes, default=wake) if wake is None else min([*wakes, wake])
        if wake == book.account.wake:
            return book
        return replace(book, account=replace(book.account, wake=wake))


def is_muted(book: Book, occasion: Occasion) -> bool:
    """Whether a snapshot alone starts it, at its own instant."""
    muted = book.account.muted
    if muted is None or muted.at != occasion.moment:
        return False
    return (occasion.rule, occasion.subject) in muted.identities


def _decided_at(pending: Pending, now: Instant | None) -> Instant:
    """Return the instant that the decision goes by: what is on time is decided as at its earliest possible instant.

    So windows, days and lateness do not depend on how often ticks come (at most 15 minutes apart).
    """
    due_since = pending.since + UNKNOWN_FOR if pending.why == "unknown_account" else pending.since
    return due_since if now is None or now - due_since <= ON_TIME else max(now, due_since)
