"""Where the queues of an index begin, as far as that is known.

A tick takes the earliest entries of a queue away, and the next one asks again from the queue's beginning: RocksDB would
step over everything that was ever deleted there, tick after tick.
"""

from typing import Final

SEPARATOR: Final = b"|"
AFTER_SEPARATOR: Final = b"}"
PARTS: Final = 2
"""A queue is what begins with an anchor, or with an anchor and a zone: there are few."""


class Fronts:
    """No entry of the index lies in [queue, front): kept in memory alone, exact as of the last write."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._fronts: dict[bytes, bytes] = {}

    def begin(self, lo: bytes) -> bytes:
        """Return from where on to look for entries from `lo` on."""
        return self._fronts.get(lo, lo)

    def found(self, lo: bytes, first: bytes) -> None:
        """Learn that there is none in [lo, first)."""
        if lo.endswith(SEPARATOR) and lo.count(SEPARATOR) <= PARTS:
            self._fronts[lo] = min(first, lo[:-1] + AFTER_SEPARATOR)

    def come(self, entry: bytes) -> None:
        """Learn that an entry is about to be written."""
        end = 0
        for _ in range(PARTS if self._fronts else 0):
            end = entry.find(SEPARATOR, end) + 1
            if not end:
                return
            if entry < self._fronts.get(entry[:end], b""):
                self._fronts[entry[:end]] = entry
