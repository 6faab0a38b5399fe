"""Plays a history, account by account, through the heart."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import msgspec

from app.contract.codec import Fact, decode
from app.contract.errors import ContractError, UnknownType
from app.contract.instants import Instant
from app.domain.book import Book, new_book
from app.domain.decision import Decision
from app.domain.occasion import Decided
from app.domain.rules import Rulebook
from app.engine.heart import Heart, book_of
from app.simulate.log import Numbered, by_subject


class Pause(msgspec.Struct, frozen=True, order=True):
    """Nothing is processed from `begin` until `end` (excluded)."""

    begin: Instant
    end: Instant


class Span(msgspec.Struct, frozen=True):
    """What is simulated: moments from `begin` to `until`, both included, but for the pauses."""

    begin: Instant
    until: Instant
    pauses: tuple[Pause, ...] = ()

    def read_at(self, instant: Instant) -> Instant:
        """Return when what happens at `instant` is read."""
        for pause in self.pauses:
            if pause.begin <= instant < pause.end:
                return pause.end
        return instant


class Breach(msgspec.Struct, frozen=True, order=True):
    """A line that breaks the contract."""

    line: int
    field: str
    reason: str


class Course:
    """One account's course through the span."""

    def __init__(self, account_id: str, heart: Heart, span: Span) -> None:
        """Begin knowing nothing."""
        self.book: Book = new_book(account_id, -(1 << 62))
        self._heart = heart
        self._span = span
        self._pauses = list(span.pauses)
        self._newest: Instant = -(1 << 62)

    def read(self, fact: Fact) -> None:
        """Read a fact at its time, or when the clock stands later, or when the pause ends; raise ContractError."""
        self._heart.check(fact)
        if self.book.has_seen(fact.source, fact.id):
            return
        self._newest = max(self._newest, fact.time)
        at = self._span.read_at(self._newest)
        if at > self._span.until:
            return
        backlog = at > self._newest
        if self._pauses:
            self._pass_pauses(at, begun_only=backlog)
        if not backlog:
            self._run_to(fact.time, None)
        self.book = self._heart.take(self.book, fact, at, backlog=backlog)

    def finish(self) -> None:
        """Let the clock run to the end."""
        self._pass_pauses(self._span.until, begun_only=False)
        if not self._pauses or self._span.until < self._pauses[0].begin:
            self._run_to(self._span.until + 1, None)

    def _pass_pauses(self, at: Instant, *, begun_only: bool) -> None:
        """Let the clock run to each pause's begin, and at its end catch up."""
        while self._pauses and self._pauses[0].begin <= at:
            pause = self._pauses[0]
            self._run_to(pause.begin, None)
            if pause.end > at or (begun_only and pause.end == at):
                return
            self._run_to(pause.end, pause.end)
            del self._pauses[0]

    def _run_to(self, instant: Instant, now: Instant | None) -> None:
        self.book = self._heart.advance(self.book, instant, now)


class Memory:
    """What a ledger remembers, of all accounts."""

    keeps_facts = False

    def __init__(self) -> None:
        """Begin empty."""
        self._decided: dict[tuple[str, str, str], Decided] = {}
        self._caps: dict[tuple[str, str], dict[date, int]] = {}

    def recall(self, account: str, rule: str, subject: str) -> Decided | None:
        """Return what was decided of the subject."""
        return self._decided.get((account, rule, subject))

    def remember(self, account: str, rule: str, subject: str, decided: Decided) -> None:
        """Keep it."""
        self._decided[account, rule, subject] = decided

    def count(self, account: str, contact: str, day: date) -> int:
        """Return how many notifications the contact got that day."""
        return self._caps.get((account, contact), {}).get(day, 0)

    def add(self, account: str, contact: str, day: date) -> None:
        """Count one more; earlier days are forgotten."""
        self._caps[account, contact] = {day: self.count(account, contact, day) + 1}

    def forget(self) -> None:
        """Remember nothing of any account: those that were played are done with."""
        self._decided.clear()
        self._caps.clear()


class Notes(Memory):
    """A ledger in memory. Decisions stand in the order they were made, account by account."""

    composes = True

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__()
        self.decisions: list[Decision] = []

    def write(self, decision: Decision) -> None:
        """Note a decision."""
        self.decisions.append(decision)


def simulate(lines: Iterable[bytes], rulebook: Rulebook, span: Span) -> tuple[Sequence[Decision], Sequence[Breach]]:
    """Return all decisions of the span, in the order they were made, and all breaches of the contract."""
    notes, breaches = Notes(), list[Breach]()
    for _ in courses(by_subject(lines), Heart(rulebook, span.begin, notes), span, breaches):
        pass
    ordered = sorted(notes.decisions, key=lambda d: (d.decided_at, d.moment, d.rule, d.subject))
    return ordered, sorted(breaches)


def courses(groups: Iterable[Sequence[Numbered]], heart: Heart, span: Span, breaches: list[Breach]) -> Iterator[Course]:
    """Yield the courses of all accounts and logins, each come to its end; put breaches of the contract to `breaches`.

    They come one after the other, so that what one of them needs is at hand and nobody has to keep it. An account and
    a login of the same id have both come to their end before the first of them is yielded.
    """
    for lines in groups:
        found: dict[str, Course] = {}
        for number, line in lines:
            try:
                fact = decode(line, None, keyed=False)
                whose = book_of(fact)
                course = found.get(whose) or found.setdefault(whose, Course(whose, heart, span))
                course.read(fact)
            except UnknownType:
                continue
            except ContractError as error:
                breaches.append(Breach(number, error.field, error.reason))
        for course in found.values():
            course.finish()
        yield from found.values()
