"""The triggers app's handler: facts and ticks in; books, decisions, notifications and dead letters out."""

import logging
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec.structs import replace

from app import metrics
from app.contract.codec import Fact, decode
from app.contract.errors import ContractError, UnknownType
from app.contract.instants import Instant, parse_instant
from app.domain import keys
from app.domain.book import Book, changes
from app.domain.decide import ON_TIME
from app.domain.rules import Rulebook
from app.engine.aside import Aside
from app.engine.coming import Stretch
from app.engine.dead_letters import DeadLetters
from app.engine.due import accounts_due, expired, held_open
from app.engine.filing import index_keys
from app.engine.foresight import Draft, Foresight
from app.engine.gate import Gate
from app.engine.guard import CountingGate, ForeseeingGate, Guarding
from app.engine.handler import LaneAccess, View
from app.engine.heart import Heart, book_of
from app.engine.ledger import Ledger
from app.engine.parked import Parked, Tried, key_of, letter_of, parked_accounts
from app.engine.ports import StateUnusableError
from app.engine.records import BACKLOG_HEADER, NOW_HEADER, Cursor, Record, Tick, header
from app.engine.returning import answer
from app.engine.standing import NEVER, reaching, standing
from app.engine.totals import Difference, totals
from app.engine.txn import Txn
from app.engine.txn_ledger import TxnLedger
from app.engine.writing import OutputTopics
from app.engine.zones import Zones

log = logging.getLogger(__name__)


class Sitting:
    """What one batch is decided with: the configuration, the guard's gate, the ledger, and the books."""

    def __init__(self, txn: Txn, view: View, rulebook: Rulebook, gate: Gate, ledger: TxnLedger) -> None:
        """Begin with no book open."""
        self._txn = txn
        self._view = view
        self._rulebook = rulebook
        self._live_since = view.now if view.live_since is None else view.live_since
        self.gate = gate
        self.ledger = ledger
        self.parked = parked_accounts(txn)
        self.desk = self._desk(ledger, gate)

    def trial(self) -> tuple["Desk", ForeseeingGate]:
        """Return a desk at which nothing is written down, and what counts its decisions to send."""
        gate = ForeseeingGate(self._rulebook.switches.guard, self.gate)
        return self._desk(Draft(self.ledger), gate), gate

    def close(self) -> None:
        """Write what has changed."""
        self.desk.close()
        self.gate.close()

    def _desk(self, ledger: Ledger, gate: Gate) -> "Desk":
        heart = Heart(self._rulebook, self._live_since, ledger, gate)
        return Desk(self._txn, self._view, heart, self.parked)


class Decider:
    """One partition's facts and ticks through the heart.

    What it keeps in memory only spares work: its zones, a tick's list of accounts and what they would be sent, and by
    which configuration it last looked at what is held.
    """

    def __init__(
        self,
        topics: OutputTopics,
        rulebook: Callable[[], Rulebook],
        guarding: Guarding | None = None,
        dead_letters_per_hour: int | None = None,
    ) -> None:
        """`rulebook` gives the configuration in force; without `guarding` nothing is counted, and no rule trips."""
        self._topics = topics
        self._letters = DeadLetters(topics.dead_letters, dead_letters_per_hour)
        self._tried = Tried()
        self._rulebook = rulebook
        self._guarding = guarding
        self._listed: tuple[Tick, list[str]] | None = None
        self._looked: tuple[Tick, Rulebook] | None = None
        self._foresight: Foresight | None = None
        self._zones = Zones()
        self._aside = Aside(guarding.tell if guarding else None)

    async def started(self, lane: LaneAccess) -> None:
        """Tell of the trips that nobody may have been told of, and show what is held."""
        self._aside.begin(lane)

    async def stopping(self) -> None:
        """Show nothing any more."""
        self._aside.end()

    def committed(self) -> None:
        """Tell of the trips that are in effect from now on, and show what is held."""
        self._aside.look()

    def index(self, key: bytes, value: bytes) -> Iterable[bytes]:
        """Return the due index's keys of a row."""
        found = index_keys(key, value)
        self._zones.note(found)
        return found

    def records(self, batch: Sequence[Record], txn: Txn, view: View) -> None:
        """Read facts in order; what breaks the contract is dead-lettered, and nothing else changes."""
        rulebook = self._rulebook()
        sitting = self._sitting(txn, view)
        for record in batch:
            kind = "unreadable"
            try:
                if record.topic == self._topics.returns:
                    kind = "return"
                    txn.send(self._topics.outbox, record.key, answer(record, sitting.desk.book, rulebook, view.now))
                    continue
                fact = decode(record.value, record.key, record.headers)
                kind = fact.type
                self._read(fact, record, sitting, txn, view)
            except UnknownType as unknown:
                metrics.FACTS.labels("unknown", "passed_over").inc()
                del unknown
            except ContractError as error:
                self._letters.park(txn, record, error.field, error.reason, _now(record, view))
                metrics.FACTS.labels(kind, "dead_lettered").inc()
            else:
                metrics.FACTS.labels(kind, "read").inc()
        self._close(sitting)

    def _read(self, fact: Fact, record: Record, sitting: Sitting, txn: Txn, view: View) -> None:
        """Read a fact; where it can be taken in but its account's clock cannot move on, park the account."""
        now = _now(record, view)
        stood = sitting.desk.read(fact, now, _told_late(record, fact, view))
        if view.raised is not None:
            self._park(keys.row_account(book_of(fact)), Parked(stood, view.raised, now), now, txn, view)

    def tick(self, tick: Tick, cursor: Cursor | None, txn: Txn, view: View, limit: int) -> Cursor:
        """Move on the clocks of a slice of the accounts in which something may be due."""
        earlier, after = _stand(tick, cursor)
        accounts = self._list(tick, cursor, txn, view)
        left = accounts[bisect_right(accounts, after or "") :]
        sitting = self._sitting(txn, view)
        foreseen = self._foresee(tick, cursor, left, sitting, limit)
        for account in left[:limit] if foreseen else ():
            sitting.desk.advance(keys.account_of_row(account), tick, earlier)
            if account in sitting.parked:
                self._resume(account, txn, view)
        self._close(sitting)
        if not foreseen:
            return Cursor(tick.instant, tick.now, after or "", earlier)
        if len(left) > limit:
            return Cursor(tick.instant, tick.now, left[limit - 1], earlier)
        for row in expired(txn, tick.instant, limit):
            txn.put(row, None)
        self._listed = None
        return Cursor(tick.instant, tick.now, None, earlier)

    def refuse(self, record: Record, reason: str, txn: Txn, view: View) -> None:
        """Dead-letter a record that raises, or whose outcome does not fit into one journal batch."""
        self._letters.park(txn, record, "", reason, _now(record, view))
        metrics.FACTS.labels("unreadable", "dead_lettered").inc()

    def pass_over(self, tick: Tick, cursor: Cursor | None, reason: str, txn: Txn, view: View) -> Cursor:
        """Park the next account of the tick; where it raised as the tick was foreseen, only foresee nothing of it."""
        earlier, after = _stand(tick, cursor)
        accounts = self._list(tick, cursor, txn, view)
        left = accounts[bisect_right(accounts, after or "") :]
        if not left:
            raise StateUnusableError(f"partition {view.partition}: a tick raises, over no account: {reason}")
        seen = self._foresight
        ahead = seen.ahead(left) if seen is not None and seen.tick == tick else ()
        if seen is not None and ahead:
            seen.add(ahead[:1], {})
            return Cursor(tick.instant, tick.now, after or "", earlier)
        self._park(left[0], Parked(earlier + 1, reason, tick.now), tick.now, txn, view)
        return Cursor(tick.instant, tick.now, left[0], earlier)

    def _park(self, account: str, new: Parked, now: Instant, txn: Txn, view: View) -> None:
        """Leave the account where it stands; of one that stands there already nobody is told again."""
        row = parked_accounts(txn).get(account)
        if row is None:
            letter = letter_of(account, self._topics.ticks, view.partition, new.reason, view.now, "open")
            self._letters.park_account(txn, letter, key_of(account), view.now)
            log.error("partition %d: account %s is parked, ticks pass it over", view.partition, letter.account)
        self._tried.fail(txn, account, row or new, self._rulebook(), now)

    def _resume(self, account: str, txn: Txn, view: View) -> None:
        """Close the letter of a parked account whose clock has moved on again."""
        letter = letter_of(account, self._topics.ticks, view.partition, "ticks raise no more", view.now, "resumed")
        self._letters.send(txn, key_of(account), letter)
        self._tried.succeed(txn, account)
        log.warning("partition %d: account %s goes on, it was parked", view.partition, letter.account)

    def _list(self, tick: Tick, cursor: Cursor | None, txn: Txn, view: View) -> list[str]:
        """Return, sorted, the accounts to look at: under a new configuration also those that it may let go of."""
        earlier, after = _stand(tick, cursor)
        if after is None or self._listed is None or self._listed[0] != tick:
            rulebook = self._rulebook()
            accounts = self._due(tick, earlier, txn, view)
            if not self._has_looked(rulebook, cursor):
                accounts = sorted({*accounts, *held_open(txn)})
                if not after:
                    self._looked = tick, rulebook
            parked = parked_accounts(txn)
            if parked:
                again = self._tried.due(parked, rulebook, tick.now)
                accounts = sorted(({*accounts} - parked.keys()) | again)
            self._listed = tick, accounts
        return self._listed[1]

    def _has_looked(self, rulebook: Rulebook, cursor: Cursor | None) -> bool:
        """Whether a tick that is completed has looked at all that is held by this configuration."""
        if self._looked is None or cursor is None:
            return False
        tick, by = self._looked
        return by is rulebook and (cursor.instant, cursor.after is None) >= (tick.instant, True)

    def _due(self, tick: Tick, earlier: Instant, txn: Txn, view: View) -> list[str]:
        end = tick.instant + 1
        live_since = tick.instant if view.live_since is None else view.live_since
        moments = Stretch(max(earlier + 1, live_since), end)
        return accounts_due(txn, self._rulebook(), Stretch(earlier + 1, end), moments, self._zones)

    def _foresee(self, tick: Tick, cursor: Cursor | None, left: Sequence[str], sitting: Sitting, limit: int) -> bool:
        """Find out what the tick would send, one more slice of it; say whether that is known of all accounts left.

        Where it is, and none of them was decided yet, the guard holds each rule that would write to too many.
        """
        if not isinstance(sitting.gate, CountingGate):
            return True
        earlier, after = _stand(tick, cursor)
        seen = self._foresight
        if seen is None or seen.tick != tick:
            seen = self._foresight = Foresight(tick, after or "", sitting.gate.all_sent())
        ahead = seen.ahead(left)
        if ahead:
            desk, gate = sitting.trial()
            for account in ahead[:limit]:
                desk.advance(keys.account_of_row(account), tick, earlier)
            seen.add(ahead[:limit], gate.counts)
        if len(ahead) > limit:
            return False
        if seen.after == (after or ""):
            for rule, recipients in seen.recipients.items():
                sitting.gate.foresee(rule, recipients)
        return True

    def _sitting(self, txn: Txn, view: View) -> Sitting:
        rulebook = self._rulebook()
        guard = rulebook.switches.guard
        gate = Gate(guard)
        if self._guarding is not None and not view.external:
            share = self._guarding.allowance.share(totals(txn).known)
            gate = CountingGate(guard, txn, view.partition, view.now, share)
        return Sitting(txn, view, rulebook, gate, TxnLedger(txn, self._topics, rulebook, fresh=view.external))

    def _close(self, sitting: Sitting) -> None:
        sitting.close()
        self._aside.tripped |= sitting.gate.tripped


class Desk:
    """The books of one batch: read once, written once."""

    def __init__(self, txn: Txn, view: View, heart: Heart, parked: Mapping[str, Parked]) -> None:
        """Begin with no book open; `parked` accounts, by row id, stand aside from the ticks."""
        self._txn = txn
        self._view = view
        self._heart = heart
        self._parked = parked
        self._books: dict[str, tuple[Book | None, Book]] = {}

    def read(self, fact: Fact, now: Instant, told_late: bool) -> Instant:  # noqa: FBT001 - the record says so
        """Read one fact at `now`; return where its account's clock stood."""
        if fact.time > now + ON_TIME:
            raise ContractError("time", "is more than 15 minutes ahead of now")
        self._heart.check(fact)
        whose = book_of(fact)
        stored, book = self._open(whose)
        cursor, row_id = self._view.cursor, keys.row_account(whose)
        parked, stands = row_id in self._parked, self._view.raised is not None
        stood = book.account.done
        if cursor is not None and cursor.after is not None and row_id > cursor.after and not (parked or stands):
            book = self._heart.advance(book, cursor.instant + 1, now)
        backlog = told_late or parked or self._is_backlog(fact, now)
        self._books[whose] = stored, self._heart.read(book, fact, now, backlog=backlog, stands=stands)
        return stood

    def book(self, account: str) -> Book:
        """Return the account's book as it stands; its clock does not move."""
        return self._open(account)[1]

    def advance(self, account: str, tick: Tick, earlier: Instant) -> None:
        """Move one account's clock to the tick, its instant included."""
        stored, book = self._open(account)
        if book.account.done <= earlier and keys.row_account(account) not in self._parked:
            book = reaching(book, earlier + 1)
        # A tick may take long, by its pace or its size: what it sends is to go by the hours and days there are then.
        self._books[account] = stored, self._heart.advance(book, tick.instant + 1, max(tick.now, self._view.now))

    def close(self) -> None:
        """Write what has changed; a clock alone is not: the cursor says where it stands."""
        difference = Difference()
        for stored, book in self._books.values():
            if stored is None or not _same_but_clock(stored, book):
                difference.add(stored, book)
                for key, value in changes(stored, book):
                    self._txn.put(key, value)
        difference.write(self._txn)

    def _open(self, account: str) -> tuple[Book | None, Book]:
        if account in self._books:
            return self._books[account]
        parked = self._parked.get(keys.row_account(account))
        return standing(account, self._txn.scan(keys.account_prefix(account)), self._view.cursor, parked)

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


def _same_but_clock(stored: Book, book: Book) -> bool:
    if stored.invoices is not book.invoices or stored.pending is not book.pending or stored.seen is not book.seen:
        return False
    return replace(book.account, done=stored.account.done) == stored.account
