"""What one move of the clock has to decide, in the order of its instants."""

from bisect import bisect_right
from collections.abc import Sequence
from heapq import heappop, heappush

from app.contract.instants import Instant
from app.domain.book import Book
from app.domain.decide import ON_TIME
from app.domain.occasion import Pending
from app.engine.judge import Judge, Up


class Agenda:
    """The course of a book up to `to`, and what is decided on it.

    What is on time is decided by the book of its own instant, what is late by the newest. What is held and released
    within the same move comes up again in its turn.
    """

    def __init__(self, to: Instant, now: Instant | None) -> None:
        """Begin with nothing known of the book; `now` as for `Heart.advance`."""
        self._to = to
        self._now = now
        self._begins: list[Instant] = []
        self._books: list[Book] = []

    def note(self, book: Book) -> None:
        """Learn how the book stands from its clock's instant on."""
        self._begins.append(book.account.done)
        self._books.append(book)

    def settle(self, judge: Judge, newest: Book, waited: Sequence[Pending], came: Sequence[Pending]) -> list[Pending]:
        """Decide what has waited and what has just come up; return what is held beyond."""
        queue: list[tuple[tuple[Instant, Instant, str, str], Pending]] = []
        for one in (*waited, *came):
            self._push(queue, one)
        just_now = {id(one) for one in came}
        left: list[Pending] = []
        while queue:
            at = queue[0][0][0]
            together = []
            while queue and queue[0][0][0] == at:
                together.append(heappop(queue)[1])
            up = [
                Up(self._book(one, at, newest), one, at, just_now=id(one) in just_now and at == one.since)
                for one in together
            ]
            for held in judge.decide_all(up):
                if held.release is not None and held.release < self._to:
                    self._push(queue, held)
                else:
                    left.append(held)
        return left

    def _push(self, queue: list[tuple[tuple[Instant, Instant, str, str], Pending]], one: Pending) -> None:
        occasion = one.occasion
        heappush(queue, ((decided_at(one, self._now), occasion.moment, occasion.rule, occasion.subject), one))

    def _book(self, pending: Pending, at: Instant, newest: Book) -> Book:
        if at != pending.since or not self._books:
            return newest
        return self._books[max(0, bisect_right(self._begins, at) - 1)]


def decided_at(pending: Pending, now: Instant | None) -> Instant:
    """Return the instant that the decision goes by: what is on time is decided as at its earliest possible instant.

    So windows, days and lateness do not depend on how often ticks come (at most 15 minutes apart). What an operator
    lets go has no such instant but that of the release.
    """
    if now is None or (now - pending.since <= ON_TIME and not pending.open_ended):
        return pending.since
    return now
