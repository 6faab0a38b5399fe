"""What a partition has in all, kept as it changes: nothing is counted over."""

from collections import Counter
from typing import Final

import msgspec

from app.domain.book import Book, pack, unpacked
from app.engine.txn import Txn

ROW: Final = b"guard/totals/"


class Totals(msgspec.Struct, frozen=True):
    """Row `guard/totals/`: accounts that are known, and decisions that are held, by reason."""

    known: int = 0
    held: dict[str, int] = {}


_totals = msgspec.msgpack.Decoder(Totals).decode


def totals(txn: Txn) -> Totals:
    """Return the partition's totals."""
    value = txn.get(ROW)
    return Totals() if value is None else _totals(unpacked(ROW, value))


class Difference:
    """What the books of one batch add."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._known = 0
        self._held: Counter[str] = Counter()

    def add(self, stored: Book | None, book: Book) -> None:
        """Take in how a book has changed."""
        if book.account.details is not None and (stored is None or stored.account.details is None):
            self._known += 1
        if stored is None or stored.pending is not book.pending:
            self._held.update(_held(book))
            self._held.subtract(_held(stored) if stored else ())

    def write(self, txn: Txn) -> None:
        """Write the row, where it changes."""
        if not self._known and not any(self._held.values()):
            return
        now = totals(txn)
        held = Counter(now.held)
        held.update(self._held)
        txn.put(ROW, pack(Totals(now.known + self._known, {why: count for why, count in held.items() if count})))


def _held(book: Book) -> list[str]:
    return [pending.why for pending in book.pending.values() if pending.held is not None]
