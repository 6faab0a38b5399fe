"""One batch in the making: which steps it holds, and what its commit record will say."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from app.contract.instants import Instant
from app.engine.handler import View
from app.engine.records import Cursor, Record, Tick
from app.engine.txn import Txn

Work = Callable[[Txn, View], None]


class Bounds(Struct, frozen=True, kw_only=True):
    """How much one batch may hold."""

    records: int = 2_000
    """Input records."""
    rows: int = 8_000
    """Changed rows and outputs; steps are begun below it."""
    slice: int = 500
    """Rows that a tick's slice looks at."""
    ticks: int = 50
    """Slices of ticks: nothing else of the process has its turn while a batch is computed."""
    works: int = 500

    @property
    def least(self) -> bool:
        """Say whether no smaller batch is possible: one of each."""
        return all(getattr(self, name) == 1 for name in self.__struct_fields__)

    def halved(self) -> "Bounds":
        """Return half of it, at least one of each."""
        return Bounds(**{name: max(1, getattr(self, name) // 2) for name in self.__struct_fields__})

    def grown(self, most: "Bounds") -> "Bounds":
        """Return an eighth more, at most `most`."""
        return Bounds(
            **{name: min(getattr(most, name), getattr(self, name) * 9 // 8 + 1) for name in self.__struct_fields__}
        )


class Batch:
    """A transaction with what it was made of: works from outside, input records, slices of ticks."""

    def __init__(self, txn: Txn, cursor: Cursor | None, live_since: Instant | None) -> None:
        """Begin where the partition stands."""
        self.txn = txn
        self.cursor = cursor
        self.live_since = live_since
        self.works = 0
        self.ticks = 0
        self.tick: Tick | None = None
        """That of the last slice."""
        self.records: list[Record] = []
        self.paced = False
        """A tick has had all that its pace allows by now."""
        self.cost = 0
        """What that has used up of it."""

    @property
    def rows(self) -> int:
        """Changed rows and outputs so far."""
        return len(self.txn.changes) + len(self.txn.outputs)

    @property
    def empty(self) -> bool:
        """Say whether nothing was done."""
        return not (self.works or self.records or self.ticks)

    def full(self, bounds: Bounds) -> bool:
        """Say whether a further step must wait for the next batch."""
        much = self.rows >= bounds.rows or len(self.records) >= bounds.records or self.ticks >= bounds.ticks
        return much or self.paced

    def add(self, records: Sequence[Record]) -> None:
        """Count records as processed."""
        self.records.extend(records)
