"""One partition's state as its journal has it, and made anew from its topics."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from msgspec import Struct

from app.contract.instants import Instant
from app.domain import keys
from app.domain.book import HASH_BYTES, SEEN, UnknownFormatError, hashes_in, unpacked
from app.domain.rules import Rulebook
from app.domain.switches import Guard
from app.engine.filing import index_keys
from app.engine.guard import own_trips
from app.engine.memory import MemoryStore
from app.engine.parked import PREFIX, parked_accounts
from app.engine.records import COMMIT_KEY, Commit, decode_commit
from app.engine.standing import NEVER, reached_by
from app.engine.ticks import TickMark
from app.engine.totals import ROW as TOTALS_ROW
from app.engine.txn import Txn
from app.rebuild.difference import Comparison, account_id
from app.rebuild.judge import Undecided
from app.rebuild.memory import Memory
from app.rebuild.replay import RecordId, Refusal, Replay, Ticked, of_present_topics
from app.streams.opening import GROWN_KEY

ENGINE = b"~"


class Snapshot(Struct):
    """A partition's journal up to one of its commit records: its rows, and that record as it was written."""

    rows: dict[bytes, bytes]
    written: bytes
    partitions: int | None = None
    """How many there are, where they have grown: then earlier facts of an account may lie elsewhere."""

    @property
    def commit(self) -> Commit:
        """How far the partition was."""
        return decode_commit(self.written)

    @property
    def reached(self) -> Instant:
        """Return before which instant every account's moments have come up."""
        cursor = self.commit.cursor
        if cursor is None:
            return NEVER
        return cursor.instant if cursor.after is None else cursor.earlier

    def guard(self, rulebook: Rulebook) -> Guard:
        """Return the guard as the partition knows it: the configuration's trips, and its own."""
        guard = rulebook.switches.guard
        for _, trip in own_trips(self._only(b"guard/")):
            guard = guard.tripped(trip)
        return guard

    def reached_by(self) -> Callable[[str], Instant]:
        """Return what tells before which instant all of an account's moments have come up; parked ones stand aside."""
        cursor, parked = self.commit.cursor, parked_accounts(self._only(PREFIX))

        def reached(account: str) -> Instant:
            aside = parked.get(keys.row_account(account)) if parked else None
            return reached_by(cursor, account) if aside is None else aside.clock

        return reached

    def books(self) -> Iterator[str]:
        """Yield the ids of all books that know an event."""
        for key in self.rows:
            if key.startswith(b"account/") and key.endswith(b"/seen"):
                yield keys.parse_row(key)[1]

    def events(self, book: str) -> frozenset[bytes]:
        """Return the hashes of the last events that the book knows; none where its row cannot be read."""
        key = keys.seen_row(book)
        try:
            seen = bytes(unpacked(key, self.rows[key]))
        except (KeyError, UnknownFormatError):
            return frozenset()
        return frozenset() if len(seen) % HASH_BYTES else hashes_in(seen)

    def _only(self, prefix: bytes) -> Txn:
        store = MemoryStore(index_keys)
        store.write({key: value for key, value in self.rows.items() if key.startswith(prefix)}, 0)
        return Txn(store)


class SnapshotInMaking:
    """Takes in a journal, record by record, in order."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._rows: dict[bytes, bytes] = {}
        self._written: bytes | None = None
        self._partitions: int | None = None

    def take(self, key: bytes, value: bytes | None) -> None:
        """Take in the next record."""
        if key == COMMIT_KEY:
            self._written = value
        elif key == GROWN_KEY:
            self._partitions = int(value or b"0") or None
        elif key.startswith(ENGINE):
            return
        elif value is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = value

    def done(self) -> Snapshot | None:
        """Return the rows; None where nothing was ever committed."""
        return None if self._written is None else Snapshot(self._rows, self._written, self._partitions)


class Rebuild:
    """One partition's rows made anew."""

    def __init__(
        self,
        rulebook: Rulebook,
        snapshot: Snapshot,
        marks: Sequence[TickMark],
        *,
        lag: Instant,
        external: bool,
        refused: Mapping[RecordId, Refusal] | None = None,
        missing: Sequence[str] = (),
        belongs: Callable[[str], bool] = lambda owner: True,  # noqa: ARG005
    ) -> None:
        """`marks` are the partition's ticks up to the snapshot's position, `lag` microseconds apart where not kept.

        `missing` are topics whose beginning is not there, or lies in another partition.
        """
        self.snapshot = snapshot
        self._missing = missing
        self.memory = Memory(rulebook, snapshot.reached)
        self._arguments = rulebook, Ticked(of_present_topics(marks), lag, external), refused or {}, belongs
        self._replay: Replay | None = None

    @property
    def replay(self) -> Replay:
        """What reads the facts, once the memory has all lines."""
        if self._replay is None:
            rulebook, ticked, refused, belongs = self._arguments
            self._replay = Replay(
                rulebook,
                self.memory,
                ticked,
                live_since=self.snapshot.commit.live_since,
                reached=self.snapshot.reached_by(),
                guard=self.snapshot.guard(rulebook),
                refused=refused,
                belongs=belongs,
                known=self.snapshot.events,
            )
        return self._replay

    def compared(self) -> "Result":
        """Return what the rows of old and those made anew do not agree in, all facts having been read."""
        self.replay.finish()
        rulebook, *_ = self._arguments
        rows = dict(self.replay.rows())
        comparison = Comparison(self.snapshot.rows, rows, self.snapshot.reached_by(), rulebook.companies)
        accounts = self._begun_before()
        unsaid = {each.key for each in comparison.of("decided", "only old")}
        kept = self._kept(comparison, accounts) | unsaid
        if kept:
            comparison = comparison.keeping(lambda key: key in kept)
        return Result(comparison, frozenset(accounts), len(unsaid), tuple(self.replay.undecided), self.replay.facts)

    def _kept(self, comparison: Comparison, accounts: Collection[str]) -> set[bytes]:
        """Return the keys that keep their rows for the sake of accounts that topics no longer tell."""
        differing = {each.key for each in comparison.found}
        kept = {key for key in differing if account_id(key) in accounts}
        if accounts:
            kept |= {TOTALS_ROW} & differing
        return kept

    def _begun_before(self) -> Collection[str]:
        """Return the accounts of which the old rows know an event that was not read, or so many that they may.

        That they may counts only where something is missing: topics that hold everything tell them, too.
        """
        unread, full = set(), set()
        for book in self.snapshot.books():
            events = self.snapshot.events(book)
            if not events <= self.replay.events(book):
                unread.add(book)
            elif len(events) == SEEN:
                full.add(book)
        return unread | full if unread or self._missing else set()


class Result(Struct, frozen=True):
    """`kept` are the accounts whose old rows stay: the topics no longer hold their first events.

    `unsaid` is how many decisions no line tells: their rows stay as well, or they would be made again.
    """

    comparison: Comparison
    kept: frozenset[str]
    unsaid: int
    undecided: tuple[Undecided, ...]
    facts: int
