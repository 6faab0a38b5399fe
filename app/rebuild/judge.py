"""The judge of a rebuild: it looks up what was decided, and decides nothing."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from app.contract.instants import Instant
from app.domain.book import Book
from app.domain.decide import Hold
from app.domain.occasion import Occasion, Pending, Reason
from app.domain.rules import Rule, Rulebook
from app.domain.switches import Guard
from app.engine.gate import Gate
from app.engine.judge import Judge, Up
from app.rebuild.memory import Held, Memory
from app.triggers import REGISTRY
from app.triggers.base import DayTrigger, Present


class Undecided(NamedTuple):
    """What comes up by the topics, and has no line: nothing will be decided of it."""

    book: str
    rule: str
    subject: str
    moment: Instant


class Recollection(Judge):
    """Says of each occasion what its lines say: decided for good, or held as it was."""

    def __init__(
        self, rulebook: Rulebook, memory: Memory, guard: Guard, decided_at: Callable[[Instant], Instant]
    ) -> None:
        """`guard` knows the configuration's trips, and the partition's own.

        `decided_at` gives the instant that a decision went by which was released at an instant.
        """
        super().__init__(rulebook, memory, Gate(guard))
        self._memory = memory
        self._guard = guard
        self._decided_at = decided_at
        self.undecided: dict[Undecided, None] = {}

    def decide_all(self, up: Sequence[Up]) -> list[Pending]:
        """Return what is held of all that comes up at one instant."""
        decided = [self.decide(one) for one in sorted(up, key=lambda one: one.order)]
        return [pending for pending in decided if pending is not None]

    def decide(self, up: Up, *, superseded: bool = False) -> Pending | None:
        """Return it if it is held by its lines."""
        del superseded
        said = self._said(up.book, up.occasion)
        if said is None:
            if up.pending.why != "lagging":  # what a late fact called up and no longer holds has no line
                self._note(up.book, up.occasion)
            return None
        if up.pending.held is None:
            return self._pending(replace(up, at=said.at), said, self._first)
        return self._pending(replace(up, at=self._decided_at(up.at)), said, self._again)

    def hold_unknown(self, book: Book, occasion: Occasion, now: Instant) -> Pending | None:
        """Return what an unknown account's event called up, if it is held still."""
        del now
        said = self._said(book, occasion)
        if said is None:
            self._note(book, occasion)
            return None
        return Pending(occasion, "unknown_account", said.at, held=said.at)

    def settled(self, book: Book) -> Book:
        """Return the book in which what waits is held, where its line says so."""
        held = {}
        for identity, pending in book.pending.items():
            if pending.held is None and self._said(book, pending.occasion) is not None:
                held[identity] = self.decide(Up(book, pending, pending.since)) or pending
        return replace(book, pending=book.pending | held) if held else book

    def _said(self, book: Book, occasion: Occasion) -> Held | None:
        """Return how the moment is held by its lines."""
        return self._memory.hold(book.id, occasion.rule, occasion.subject, occasion.moment)

    def _note(self, book: Book, occasion: Occasion) -> None:
        once = isinstance(REGISTRY[occasion.trigger], DayTrigger)
        if not self._memory.has_line(book.id, occasion.rule, occasion.subject, None if once else occasion.moment):
            self.undecided[Undecided(book.id, occasion.rule, occasion.subject, occasion.moment)] = None

    def _pending(self, up: Up, said: Held, hold_of: Callable[[Up, Present, Rule, Held], Hold | None]) -> Pending:
        present, rule = self._present(up), self._rulebook.in_force(up.occasion.rule, up.at)
        hold = None if present is None or rule is None else hold_of(up, present, rule, said)
        trips = set(up.pending.trips)
        if hold is not None and hold.reason is Reason.GUARD:
            trips.update(self._guard.trips(up.occasion.rule))
        if hold is None or (hold.reason is Reason.GUARD and not trips):
            return self._to_be_looked_at(up, said)
        since = up.at if hold.release is None else hold.release
        return Pending(up.occasion, hold.reason.value, since, hold.release, up.reckoned, tuple(sorted(trips)))

    def _first(self, up: Up, present: Present, rule: Rule, said: Held) -> Hold | None:
        """Return the hold that the line tells of."""
        if said.reason in (Reason.GUARD, Reason.KILL_SWITCH):
            return Hold(said.reason, None)
        if said.reason in (Reason.HOLIDAY, Reason.WEEKDAY, Reason.WINDOW, Reason.CAPPED):
            return Hold(said.reason, self._opens(up, present, rule, later_day=said.reason is Reason.CAPPED))
        return None

    def _again(self, up: Up, present: Present, rule: Rule, said: Held) -> Hold | None:
        """Return a later hold, of which no line tells: where hours and switches allow it, the cap has held it."""
        del said
        hold = self._hold(up, present, rule, ())
        if hold is None and rule.cap is not None:
            return Hold(Reason.CAPPED, self._opens(up, present, rule, later_day=True))
        return hold

    def _to_be_looked_at(self, up: Up, said: Held) -> Pending:
        """Return it as held until it is looked at next: nothing that is known here holds it any more."""
        trips = tuple(trip for trip in self._guard.released if trip.rule == up.occasion.rule)
        if said.reason is Reason.GUARD and trips:
            return Pending(up.occasion, said.reason.value, up.at, None, up.reckoned, trips)
        why = Reason.WINDOW if said.reason in (Reason.GUARD, Reason.UNKNOWN_ACCOUNT) else said.reason
        return Pending(up.occasion, why.value, up.at, None, up.reckoned)
