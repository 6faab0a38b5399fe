"""One batch's view of the store: what it reads, what it changes, what it wants sent."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from app.engine.records import Output

_PIECE = 16
"""Index entries read at once where few are wanted."""


class Rows(Protocol):
    """The committed rows that a batch reads; keys beginning with `~` are the engine's."""

    @property
    def index(self) -> Callable[[bytes, bytes], Iterable[bytes]]:
        """Index keys of a row, as Handler.index."""

    def get(self, key: bytes) -> bytes | None: ...

    def scan(self, prefix: bytes) -> list[tuple[bytes, bytes]]:
        """Return the rows whose key begins with `prefix`, sorted; neither the engine's nor the index's."""

    def due(self, lo: bytes, hi: bytes, limit: int | None = None) -> list[tuple[bytes, bytes]]:
        """Return (index key, row key) with lo <= index key < hi, sorted, at most `limit`."""


class Txn:
    """An overlay over the committed rows. Nothing reaches the store before the batch is in the journal."""

    def __init__(self, rows: Rows) -> None:
        """Begin with no changes."""
        self.changes: dict[bytes, bytes | None] = {}
        self.before: dict[bytes, bytes | None] = {}
        self.outputs: list[Output] = []
        self._rows = rows
        self._read = rows.get
        self._overlay: _IndexOverlay | None = None
        self._sorted: list[bytes] | None = None

    def get(self, key: bytes) -> bytes | None:
        """Return the row's value, as this batch has left it."""
        changes, before = self.changes, self.before
        if key in changes:
            return changes[key]
        if key in before:
            return before[key]
        value = before[key] = self._read(key)
        return value

    def put(self, key: bytes, value: bytes | None) -> None:
        """Write a row; None deletes it."""
        if self._sorted is not None and key not in self.changes:
            insort(self._sorted, key)
        self.changes[key] = value
        if self._overlay is not None:
            self._overlay.stale.add(key)

    def send(self, topic: str, key: bytes | None, value: bytes) -> None:
        """Have a record sent to this partition of `topic` once the batch is in the journal."""
        self.outputs.append(Output(topic, key, value))

    def scan(self, prefix: bytes) -> list[tuple[bytes, bytes]]:
        """Return the rows whose key begins with `prefix`, sorted, as this batch has left them."""
        rows = self._rows.scan(prefix)
        changed = self._changed(prefix)
        if not changed:
            return rows
        merged = dict(rows) | {key: self.changes[key] for key in changed}
        return sorted((key, value) for key, value in merged.items() if value is not None)

    def _changed(self, prefix: bytes) -> list[bytes]:
        """Return the changed keys that begin with `prefix`: found by bisection, for a batch asks for many prefixes."""
        if self._sorted is None:
            self._sorted = sorted(self.changes)
        first = last = bisect_left(self._sorted, prefix)
        while last < len(self._sorted) and self._sorted[last].startswith(prefix):
            last += 1
        return self._sorted[first:last]

    def due(self, lo: bytes, hi: bytes, limit: int | None = None) -> list[tuple[bytes, bytes]]:
        """Return (index key, row key) with lo <= index key < hi, sorted, as this batch has left the rows."""
        if not self.changes:
            return self._rows.due(lo, hi, limit)
        if self._overlay is None:
            self._overlay = _IndexOverlay(self.changes)
        return self._overlay.due(self._rows, self, lo, hi, limit)

    def committed_index(self, key: bytes) -> set[bytes]:
        """Return the index keys that the committed row has."""
        value = self._committed(key)
        return set() if value is None else set(self._rows.index(key, value))

    def changed_index(self, key: bytes) -> set[bytes]:
        """Return the index keys of the row as this batch has left it."""
        value = self.changes[key]
        return set() if value is None else set(self._rows.index(key, value))

    def _committed(self, key: bytes) -> bytes | None:
        if key in self.before:
            return self.before[key]
        value = self.before[key] = self._read(key)
        return value


class _IndexOverlay:
    """The index entries of changed rows, brought up to date when asked."""

    def __init__(self, changes: Mapping[bytes, bytes | None]) -> None:
        self.stale: set[bytes] = set(changes)
        self._gone: set[bytes] = set()
        self._added: list[tuple[bytes, bytes]] = []
        self._added_of: dict[bytes, set[bytes]] = {}

    def due(self, rows: Rows, txn: Txn, lo: bytes, hi: bytes, limit: int | None) -> list[tuple[bytes, bytes]]:
        for key in self.stale:
            self._refresh(txn, key)
        self.stale.clear()
        added = self._added[bisect_left(self._added, (lo,)) : bisect_left(self._added, (hi,))]
        return sorted(self._kept(rows, lo, hi, limit) + added)[:limit]

    def _kept(self, rows: Rows, lo: bytes, hi: bytes, limit: int | None) -> list[tuple[bytes, bytes]]:
        """Return the committed entries that this batch has not done away with, read in pieces: few are gone."""
        if limit is None:
            return [entry for entry in rows.due(lo, hi) if entry[0] not in self._gone]
        kept: list[tuple[bytes, bytes]] = []
        while True:
            piece = max(limit - len(kept), _PIECE)
            entries = rows.due(lo, hi, piece)
            kept += [entry for entry in entries if entry[0] not in self._gone]
            if len(entries) < piece or len(kept) >= limit:
                return kept[:limit]
            lo = entries[-1][0] + b"\0"

    def _refresh(self, txn: Txn, key: bytes) -> None:
        for index_key in self._added_of.pop(key, ()):
            del self._added[bisect_left(self._added, (index_key, key))]
        self._gone |= txn.committed_index(key)
        new = txn.changed_index(key)
        if new:
            self._added_of[key] = new
            for index_key in new:
                insort(self._added, (index_key, key))
