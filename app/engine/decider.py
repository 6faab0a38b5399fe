"""The triggers app's handler: facts and ticks in; books, decisions, notifications and dead letters out."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date

from msgspec.structs import replace

from app import metrics
from app.contract.codec import Fact, decode
from app.contract.errors import ContractError, UnknownType
from app.contract.instants import Instant, parse_instant
from app.domain import keys
from app.domain.book import Book, changes, decided_of, new_book, pack, read_book, tally_of
from app.domain.decide import ON_TIME
from app.domain.decision import Decision
from app.domain.occasion import Decided, Tally
from app.domain.rules import Rulebook
from app.engine.coming import Stretch
from app.engine.dead_letters import dead_letter
from app.engine.due import accounts_due, expired
from app.engine.filing import index_keys
from app.engine.handler import View
from app.engine.heart import Heart, book_of
from app.engine.records import BACKLOG_HEADER, NOW_HEADER, Cursor, Record, Tick, header
from app.engine.returning import answer
from app.engine.txn import Txn
from app.engine.writing import OutputTopics, as_record, notifications
from app.engine.zones import Zones

NEVER: Instant = -(1 << 62)


class TxnLedger:
    """Decisions into a batch's transaction."""

    def __init__(self, txn: Txn, topics: OutputTopics, rulebook: Rulebook, *, fresh: bool) -> None:
        """Write to `txn`; `fresh` notifications never grow too old to hand over."""
        self._txn = txn
        self._topics = topics
        self._rulebook = rulebook
        self._fresh = fresh

    def recall(self, account: str, rule: str, subject: str) -> Decided | None:
        """Return what was decided of the subject."""
        key = keys.decided_row(account, rule, subject)
        value = self._txn.get(key)
        return decided_of(key, value) if value is not None else None

    def remember(self, account: str, rule: str, subject: str, decided: Decided) -> None:
        """Keep it until the index calls it expired."""
        self._txn.put(keys.decided_row(account, rule, subject), pack(decided))

    def count(self, account: str, contact: str, day: date) -> int:
        """Return how many notifications the contact got that day."""
        key = keys.cap_row(account, contact)
        value = self._txn.get(key)
        tally = tally_of(key, value) if value is not None else None
        return tally.count if tally is not None and tally.day == day else 0

    def add(self, account: str, contact: str, day: date) -> None:
        """Count one more; earlier days are forgotten."""
        self._txn.put(keys.cap_row(account, contact), pack(Tally(day, self.count(account, contact, day) + 1)))

    def write(self, decision: Decision) -> None:
        """Send the decision, and where it says so the notifications."""
        key = decision.owner.encode()
        self._txn.send(self._topics.decisions, key, as_record(decision, self._rulebook.offset))
        for notification in notifications(decision, self._rulebook, fresh=self._fresh):
            self._txn.send(self._topics.outbox, key, notification)
        metrics.DECISIONS.labels(decision.rule, decision.outcome.value, decision.reason or "").inc()


class Decider:
    """One partition's facts and ticks through the heart; it keeps but its zones and a tick's list of accounts."""

    def __init__(self, topics: OutputTopics, rulebook: Callable[[], Rulebook]) -> None:
        """`rulebook` gives the configuration in force."""
        self._topics = topics
        self._rulebook = rulebook
        self._listed: tuple[Tick, list[str]] | None = None
        self._zones = Zones()

    def index(self, key: bytes, value: bytes) -> Iterable[bytes]:
        """Return the due index's keys of a row."""
        found = index_keys(key, value)
        self._zones.note(found)
        return found

    def records(self, batch: Sequence[Record], txn: Txn, view: View) -> None:
        """Read facts in order; what breaks the contract is dead-lettered, and nothing else changes."""
        rulebook = self._rulebook()
        desk = Desk(txn, view, self._heart(txn, view))
        for record in batch:
            kind = "unreadable"
            try:
                if record.topic == self._topics.returns:
                    kind = "return"
                    txn.send(self._topics.outbox, record.key, answer(record, desk.book, rulebook, view.now))
                    continue
                fact = decode(record.value, record.key, record.headers)
                kind = fact.type
                desk.read(fact, _now(record, view), _told_late(record, fact, view))
            except UnknownType as unknown:
                metrics.FACTS.labels("unknown", "passed_over").inc()
                del unknown
            except ContractError as error:
                letter = dead_letter(record, error.field, error.reason, _now(record, view))
                txn.send(self._topics.dead_letters, record.key, letter)
                metrics.FACTS.labels(kind, "dead_lettered").inc()
            else:
                metrics.FACTS.labels(kind, "read").inc()
        desk.close()

    def tick(self, tick: Tick, cursor: Cursor | None, txn: Txn, view: View, limit: int) -> Cursor:
        """Move on the clocks of a slice of the accounts in which something may be due."""
        earlier, after = _stand(tick, cursor)
        if after is None or self._listed is None or self._listed[0] != tick:
            self._listed = tick, self._due(tick, earlier, txn, view)
        left = [account for account in self._listed[1] if after is None or account > after]
        desk = Desk(txn, view, self._heart(txn, view))
        for account in left[:limit]:
            desk.advance(keys.account_of_row(account), tick, earlier)
        desk.close()
        if len(left) > limit:
            return Cursor(tick.instant, tick.now, left[limit - 1], earlier)
        for row in expired(txn, tick.instant, limit):
            txn.put(row, None)
        self._listed = None
        return Cursor(tick.instant, tick.now, None, earlier)

    def too_large(self, record: Record, txn: Txn, view: View) -> None:
        """Dead-letter a fact whose outcome does not fit into one journal batch."""
        letter = dead_letter(
            record, "", "too_large: its outcome does not fit into one journal batch", _now(record, view)
        )
        txn.send(self._topics.dead_letters, record.key, letter)
        metrics.FACTS.labels("unreadable", "dead_lettered").inc()

    def _due(self, tick: Tick, earlier: Instant, txn: Txn, view: View) -> list[str]:
        end = tick.instant + 1
        live_since = tick.instant if view.live_since is None else view.live_since
        moments = Stretch(max(earlier + 1, live_since), end)
        return accounts_due(txn, self._rulebook(), Stretch(earlier + 1, end), moments, self._zones)

    def _heart(self, txn: Txn, view: View) -> Heart:
        rulebook = self._rulebook()
        live_since = view.now if view.live_since is None else view.live_since
        return Heart(rulebook, live_since, TxnLedger(txn, self._topics, rulebook, fresh=view.external))


class Desk:
    """The books of one batch: read once, written once."""

    def __init__(self, txn: Txn, view: View, heart: Heart) -> None:
        """Begin with no book open."""
        self._txn = txn
        self._view = view
        self._heart = heart
        self._books: dict[str, tuple[Book | None, Book]] = {}

    def read(self, fact: Fact, now: Instant, told_late: bool) -> None:  # noqa: FBT001 - the record says so
        """Read one fact at `now`."""
        if fact.time > now + ON_TIME:
            raise ContractError("time", "is more than 15 minutes ahead of now")
        self._heart.check(fact)
        whose = book_of(fact)
        stored, book = self._open(whose)
        cursor = self._view.cursor
        if cursor is not None and cursor.after is not None and keys.row_account(whose) > cursor.after:
            book = self._heart.advance(book, cursor.instant + 1, cursor.now)
        backlog = told_late or self._is_backlog(fact, now)
        self._books[whose] = stored, self._heart.read(book, fact, now, backlog=backlog)

    def book(self, account: str) -> Book:
        """Return the account's book as it stands; its clock does not move."""
        return self._open(account)[1]

    def advance(self, account: str, tick: Tick, earlier: Instant) -> None:
        """Move one account's clock to the tick, its instant included."""
        stored, book = self._open(account)
        if book.account.done <= earlier:
            book = _reaching(book, earlier + 1)
        self._books[account] = stored, self._heart.advance(book, tick.instant + 1, tick.now)

    def close(self) -> None:
        """Write what has changed; a clock alone is not: the cursor says where it stands."""
        for stored, book in self._books.values():
            if stored is None or not _same_but_clock(stored, book):
                for key, value in changes(stored, book):
                    self._txn.put(key, value)

    def _open(self, account: str) -> tuple[Book | None, Book]:
        if account in self._books:
            return self._books[account]
        stored = read_book(account, self._txn.scan(keys.account_prefix(account)))
        reached = self._reached(account)
        book = new_book(account, reached) if stored is None else stored
        return stored, _reaching(book, reached)

    def _reached(self, account: str) -> Instant:
        """Return before which instant all of the account's moments have come up, by the ticks."""
        cursor = self._view.cursor
        if cursor is None:
            return NEVER
        done = cursor.after is None or keys.row_account(account) <= cursor.after
        return (cursor.instant if done else cursor.earlier) + 1

    def _is_backlog(self, fact: Fact, now: Instant) -> bool:
        """Read too long after its time, or while the ticks lag behind: an outage is being caught up with."""
        if self._view.external:
            return False
        cursor = self._view.cursor
        return now - fact.time > ON_TIME or (cursor is not None and now - cursor.instant > ON_TIME)


def _stand(tick: Tick, cursor: Cursor | None) -> tuple[Instant, str | None]:
    """Return the instant of the tick completed before, and the last account that this one's slices have done."""
    if cursor is None:
        return NEVER, None
    if cursor.after is None or (cursor.instant, cursor.now) != (tick.instant, tick.now):
        return cursor.instant, None
    return cursor.earlier, cursor.after


def _now(record: Record, view: View) -> Instant:
    if not view.external:
        return view.now
    told = header(record, NOW_HEADER)
    return parse_instant(told.decode()) if told else view.now


def _told_late(record: Record, fact: Fact, view: View) -> bool:
    """Whether a played history says that the record was read after a pause."""
    return view.external and fact.time < _now(record, view) and header(record, BACKLOG_HEADER) is not None


def _reaching(book: Book, reached: Instant) -> Book:
    if book.account.done >= reached:
        return book
    return replace(book, account=replace(book.account, done=reached))


def _same_but_clock(stored: Book, book: Book) -> bool:
    if stored.invoices is not book.invoices or stored.pending is not book.pending or stored.seen is not book.seen:
        return False
    return replace(book.account, done=stored.account.done) == stored.account
