"""A store, a journal and an output log in memory: what `simulate` and the engine's tests run on."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from app.engine.ports import BatchTooLargeError
from app.engine.records import COMMIT_KEY, Output

INDEX_OF_ROWS = Callable[[bytes, bytes], Iterable[bytes]]
_ENGINE = b"~"


class MemoryStore:
    """Rows and their index in sorted lists."""

    def __init__(self, index: INDEX_OF_ROWS) -> None:
        """Begin empty; `index` gives a row's index keys."""
        self.index = index
        self.offset = -1
        self._values: dict[bytes, bytes] = {}
        self._keys: list[bytes] = []
        self._index: list[tuple[bytes, bytes]] = []

    def get(self, key: bytes) -> bytes | None:
        """Return a row's value."""
        return self._values.get(key)

    def scan(self, prefix: bytes) -> list[tuple[bytes, bytes]]:
        """Return the rows whose key begins with `prefix`, sorted."""
        rows = []
        for key in islice(self._keys, bisect_left(self._keys, prefix), None):
            if not key.startswith(prefix):
                break
            rows.append((key, self._values[key]))
        return rows

    def due(self, lo: bytes, hi: bytes, limit: int | None = None) -> list[tuple[bytes, bytes]]:
        """Return (index key, row key) with lo <= index key < hi, sorted, at most `limit`."""
        first, last = bisect_left(self._index, (lo,)), bisect_left(self._index, (hi,))
        return self._index[first : last if limit is None else min(last, first + limit)]

    def write(
        self, changes: Mapping[bytes, bytes | None], offset: int, before: Mapping[bytes, bytes | None] | None = None
    ) -> None:
        """Write rows, their index and the journal offset."""
        del before
        for key, value in changes.items():
            if key.startswith(_ENGINE):
                if value is not None:
                    self._values[key] = value
            else:
                self._put(key, value)
        self.offset = offset

    def _put(self, key: bytes, value: bytes | None) -> None:
        old = self._values.get(key)
        if old is not None:
            for index_key in self.index(key, old):
                del self._index[bisect_left(self._index, (index_key, key))]
        if value is not None:
            for index_key in self.index(key, value):
                insort(self._index, (index_key, key))
            if old is None:
                insort(self._keys, key)
            self._values[key] = value
        elif old is not None:
            del self._values[key]
            del self._keys[bisect_left(self._keys, key)]


class MemoryJournal:
    """A journal's records, each batch appended whole."""

    def __init__(self, capacity: int | None = None) -> None:
        """Refuse batches of more than `capacity` bytes."""
        self.records: list[tuple[bytes, bytes | None]] = []
        self._capacity = capacity

    async def append(self, changes: Mapping[bytes, bytes | None], commit: bytes) -> int:
        """Append the changes and the commit record; return the latter's offset."""
        batch = [*changes.items(), (COMMIT_KEY, commit)]
        size = sum(len(key) + len(value or b"") for key, value in batch)
        if self._capacity is not None and size > self._capacity:
            raise BatchTooLargeError
        self.records.extend(batch)
        return len(self.records) - 1

    async def fence(self) -> int:
        """Append a fence record; return its offset."""
        self.records.append((b"~fence", b""))
        return len(self.records) - 1


class Sent(NamedTuple):
    """An output as its topic got it."""

    id: str
    output: Output


class MemoryOutputs:
    """Everything sent, in order."""

    def __init__(self) -> None:
        """Begin with nothing sent."""
        self.sent: list[Sent] = []

    async def send(self, outputs: Sequence[Output], partition: int, batch: str) -> None:
        """Append the outputs."""
        del partition
        self.sent.extend(Sent(f"{batch}/{number}", output) for number, output in enumerate(outputs))
