"""The books of one partition made anew from its input topics (no line is written, nothing is decided)."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import NamedTuple

from msgspec import Struct

from app.contract.codec import Fact, decode
from app.contract.errors import ContractError, UnknownType
from app.contract.instants import MINUTE, Instant, parse_instant
from app.domain import keys
from app.domain.book import HASH_BYTES, Book, changes, hashes_in, new_book, pack
from app.domain.calendar import local_day
from app.domain.decide import ON_TIME
from app.domain.rules import Rulebook
from app.domain.switches import Guard
from app.engine.dead_letters import DeadLetter
from app.engine.heart import Heart, book_of
from app.engine.poison import NOT_OF_THE_INPUT, reason_of
from app.engine.records import BACKLOG_HEADER, NOW_HEADER, Record, header
from app.engine.standing import NEVER
from app.engine.ticks import MILLISECOND, TickMark
from app.engine.totals import ROW as TOTALS_ROW
from app.engine.totals import Totals
from app.errors import WhimbrelError
from app.rebuild.judge import Recollection, Undecided
from app.rebuild.memory import Memory


class ReplayError(WhimbrelError):
    """This version raises over what the running one has taken: there is no knowing what it would make of it."""


RecordId = tuple[str, int]
"""A record, within its partition: topic and offset."""


SKEW = MINUTE
"""So far a worker's clock may be behind whoever set a record's timestamp."""


class Refusal(NamedTuple):
    """The key of a record that was dead-lettered, and when it was."""

    key: bytes | None
    at: Instant


def refusals(letters: Iterable[tuple[bytes | None, DeadLetter]]) -> dict[RecordId, Refusal]:
    """Return the newest of each record, of letters behind their keys; one that closes another refuses nothing."""
    refused = [(key, told) for key, told in letters if told.state == "open"]
    return {(told.topic, told.offset): Refusal(key, parse_instant(told.at)) for key, told in refused}


class Ticked(Struct, frozen=True):
    """Where the partition's clock stood as each record was read.

    Of a record older than the ticks that are kept it is `lag` before the record's own time.
    """

    marks: Sequence[TickMark]
    lag: Instant
    """Microseconds between two ticks; in external mode every tick is kept, and none is needed."""
    external: bool

    def before(self, record: Record) -> Instant:
        """Return before which instant the account's moments had come up."""
        done = bisect_right(self.marks, record.offset, key=lambda mark: mark.ends.get(record.topic, 0))
        if done:
            return self.marks[done - 1].tick.instant + 1
        return NEVER if self.external else record.timestamp * MILLISECOND - self.lag

    def decided_at(self, instant: Instant) -> Instant:
        """Return the instant that a decision went by that could be made from `instant` on: the next tick's, if late."""
        number = bisect_left(self.marks, instant, key=lambda mark: mark.tick.instant)
        if number < len(self.marks) and self.marks[number].tick.now - instant > ON_TIME:
            return self.marks[number].tick.now
        return instant


def of_present_topics(marks: Sequence[TickMark]) -> Sequence[TickMark]:
    """Return the marks with 0 for the end of a topic that later ended lower: it was made anew, and had nothing yet."""
    found: list[TickMark] = []
    later: Mapping[str, int] = {}
    for mark in reversed(marks):
        later = {topic: end if end <= later.get(topic, end) else 0 for topic, end in mark.ends.items()}
        found.append(mark._replace(ends=later))
    return found[::-1]


class Home(Struct, frozen=True):
    """What an account's zone goes by from `since` on: its own, else that of its company."""

    since: Instant
    company_id: str | None
    own_zone: str | None


class Replay:
    """Reads a partition's facts in the order in which they were read, and keeps the books in memory."""

    def __init__(
        self,
        rulebook: Rulebook,
        memory: Memory,
        ticked: Ticked,
        *,
        live_since: Instant | None,
        reached: Callable[[str], Instant],
        guard: Guard,
        refused: Mapping[RecordId, Refusal],
        belongs: Callable[[str], bool],
        known: Callable[[str], Collection[bytes]],
    ) -> None:
        """`reached` gives before which instant all of an account's moments have come up.

        `refused` are the places of records that were dead-lettered; `belongs` says of an account's or user's id whether
        the partition is its own; `known` gives the hashes of the events that a book of the old rows knows.
        """
        self._companies = rulebook.companies
        self._memory = memory
        self._ticked = ticked
        self._refused = refused
        self._belongs = belongs
        self._known = known
        self._reached = reached
        self._judge = Recollection(rulebook, memory, guard, ticked.decided_at)
        self._heart = Heart(rulebook, NEVER if live_since is None else live_since, memory, judge=self._judge)
        self._books: dict[str, Book] = {}
        self._homes: dict[str, list[Home]] = {}
        self._behind: dict[tuple[str, Instant], Home] = {}
        self._forgotten: dict[str, set[bytes]] = {}
        self._begun: dict[str, Instant] = {}
        self.facts = 0
        self.passed_over = 0

    @property
    def undecided(self) -> Collection[Undecided]:
        """What came up and has no line."""
        return self._judge.undecided.keys()

    def read(self, records: Iterable[Record]) -> None:
        """Read facts; what was dead-lettered, and what is no fact, is passed over; raise ReplayError."""
        for record in records:
            with _told(f"{record.topic}[{record.partition}]@{record.offset}"):
                fact = self._fact(record)
                if fact is None:
                    self.passed_over += 1
                else:
                    self._read(fact, record)

    def finish(self) -> None:
        """Let every clock run to the cursor."""
        for account, book in self._books.items():
            with _told(f"account {keys.owner(account)}"):
                self._books[account] = self._judge.settled(self._heart.advance(book, self._reached(account), None))

    def events(self, book: str) -> frozenset[bytes]:
        """Return the hashes of a book's events that were read: of the last, and of earlier ones that old rows know."""
        found = self._books.get(book)
        return frozenset() if found is None else hashes_in(found.seen) | self._forgotten.get(book, set())

    def rows(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield all rows, but for those that only the partition itself can tell (see `guard`)."""
        totals, held = 0, Counter[str]()
        for book in self._books.values():
            totals += book.account.details is not None
            held.update(pending.why for pending in book.pending.values() if pending.held is not None)
            yield from ((key, value) for key, value in changes(None, book) if value is not None)
        yield TOTALS_ROW, pack(Totals(totals, dict(held)))
        yield from self._memory.rows(self._day)

    def _read(self, fact: Fact, record: Record) -> None:
        self.facts += 1
        whose = book_of(fact)
        reached = min(self._ticked.before(record), self._reached(whose))
        book = self._books.get(whose)
        book = new_book(whose, reached) if book is None else self._heart.advance(book, reached, None)
        now = _read_at(record, external=self._ticked.external)
        told_late = fact.time < now and header(record, BACKLOG_HEADER) is not None
        # Live, what had come up by then is parked: where it was decided at once, its line says so.
        after = self._heart.read(book, fact, now, backlog=told_late or not self._ticked.external)
        self._books[whose] = after
        self._remember(book, after)
        if after is not book:
            self._settle_in(after, fact.time)

    def _remember(self, book: Book, after: Book) -> None:
        """Keep what the book knows no longer where the old one does: across topics it was read in another order."""
        if len(book.seen) < len(after.seen) or book.seen == after.seen:
            return
        oldest = book.seen[:HASH_BYTES]
        if oldest in self._known(book.id):
            self._forgotten.setdefault(book.id, set()).add(oldest)

    def _fact(self, record: Record) -> Fact | None:
        if self._is_refused(record):
            return None
        try:
            fact = decode(record.value, record.key, record.headers)
        except (ContractError, UnknownType):
            return None
        return fact if self._belongs(fact.subject) else None

    def _is_refused(self, record: Record) -> bool:
        """Whether it was dead-lettered, and not another at that place of a topic that was deleted since.

        A letter of that one is older than the first record of this one. That record's time is taken for all: of others,
        those that are refused more than any, a publisher's clock may be ahead.
        """
        if record.topic not in self._begun:
            self._begun[record.topic] = _read_at(record, external=self._ticked.external)
        letter = self._refused.get((record.topic, record.offset))
        return letter is not None and letter.key == record.key and letter.at + SKEW >= self._begun[record.topic]

    def _settle_in(self, book: Book, time: Instant) -> None:
        """Note what the zone goes by from here on, and at the time of a fact that is older than it."""
        details = book.account.details
        home = Home(book.account.done, book.company_id, None if details is None else details.time_zone)
        homes = self._homes.setdefault(book.id, [])
        if not homes or (homes[-1].company_id, homes[-1].own_zone) != (home.company_id, home.own_zone):
            homes.append(home)
        if len(homes) > 1 and time < homes[-1].since:
            self._behind[book.id, time] = homes[-1]

    def _day(self, account: str, instant: Instant) -> date | None:
        """Return the local day that it was at the instant, by the zone that the account's clock ran in then."""
        homes = self._homes.get(account)
        if homes is None:
            return None
        by_clock = next((each for each in reversed(homes) if each.since <= instant), homes[0])
        home = self._behind.get((account, instant), by_clock)
        company = self._companies.get(home.company_id or "")
        return None if company is None else local_day(home.own_zone or company.zone_at(instant), instant)


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Say over what the rules raise."""
    try:
        yield
    except NOT_OF_THE_INPUT:
        raise
    except Exception as error:
        raise ReplayError(
            f"{where}: {reason_of(error)}; it is no dead letter, so the running version took it: rebuild with that one"
            " (the partition is as it was)"
        ) from error


def _read_at(record: Record, *, external: bool) -> Instant:
    told = header(record, NOW_HEADER) if external else None
    return record.timestamp * MILLISECOND if told is None else parse_instant(told.decode())
