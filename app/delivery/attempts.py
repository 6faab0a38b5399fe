"""The sender's table `attempts`: one row a notification, from the outbox to its last word, and the marks of repeats.

A row waits, or is being attempted (journaled before a byte of the message leaves), or has gone back to be checked, or
is done. Done rows are kept long enough to know a repeat by its dedup key; older ones are known by their output id
(ARCHITECTURE.md, section 5, Sender and Returns).
"""

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from app.contract.instants import DAY, Instant
from app.engine.txn import Txn
from app.errors import WhimbrelError

FORMAT: Final = 1
KEEP_DONE: Final = 40 * DAY
_END: Final = (1 << 63) - 1
INCARNATIONS: Final = 8
"""Journals of the triggers app whose marks are kept: one is made anew at most when its topic is lost."""

_PREFIX: Final = b"attempt/"
_MARKS: Final = b"marks"

State = Literal["waiting", "attempting", "returned", "done"]


class RowFormatError(WhimbrelError):
    """A row was written by a newer version of Whimbrel: this worker must not touch it."""


class Attempt(msgspec.Struct, frozen=True, array_like=True):
    """A notification's row."""

    format: int
    state: State
    due: Instant
    """Waiting: not to be tried before; attempting: when it began; returned: expires; done: may be forgotten."""
    received: Instant
    attempts: int
    """Hand-overs begun so far, those included that got no further than the relay's door."""
    notification: bytes
    """The outbox record's value, of the highest round; empty once done."""
    rounds: int = 0
    """Given back so often since the last attempt."""


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """The newest output id seen of one journal of the triggers app."""

    journal: str
    """Incarnation and partition."""
    offset: int
    index: int


_encode = msgspec.msgpack.Encoder().encode
_decode_attempt = msgspec.msgpack.Decoder(Attempt).decode
_decode_marks = msgspec.msgpack.Decoder(tuple[Mark, ...]).decode


def row_key(dedup_key: str) -> bytes:
    """Return the key of a notification's row."""
    return _PREFIX + dedup_key.encode()


def read(txn: Txn, key: bytes) -> Attempt | None:
    """Return the row, None where there is none. Raises RowFormatError."""
    value = txn.get(key)
    return None if value is None else _decoded(value)


def write(txn: Txn, key: bytes, attempt: Attempt) -> None:
    """Put the row."""
    txn.put(key, _encode(attempt))


def index(key: bytes, value: bytes) -> Iterable[bytes]:
    """Return a row's index key: by state, then by when it is due. Rows that are no attempt have none."""
    if key.startswith(_PREFIX):
        attempt = _decoded(value)
        yield _bound(attempt.state, attempt.due) + key


def in_doubt(txn: Txn) -> list[bytes]:
    """Return the keys of the rows that are being attempted."""
    return [key for _, key in txn.due(_bound("attempting", 0), _bound("attempting", _END))]


def waiting(txn: Txn, limit: int) -> list[tuple[Instant, bytes]]:
    """Return (due, row key) of at most `limit` waiting rows, the earliest first."""
    entries = txn.due(_bound("waiting", 0), _bound("waiting", _END), limit)
    return [(int.from_bytes(index_key[1:9], "big"), key) for index_key, key in entries]


def unanswered(txn: Txn, now: Instant, limit: int) -> list[bytes]:
    """Return the keys of at most `limit` rows that have gone back and expired there."""
    return [key for _, key in txn.due(_bound("returned", 0), _bound("returned", now), limit)]


def is_repeat(txn: Txn, output_id: bytes) -> bool:
    """Tell whether an output of that id, or a later one of the same journal, was seen before; else remember it.

    `output_id` is `incarnation/partition/offset/index`, rising along each partition of the outbox. Raises ValueError.
    """
    journal, offset, number = output_id.decode().rsplit("/", 2)
    mark = Mark(journal, int(offset), int(number))
    value = txn.get(_MARKS)
    known = {each.journal: each for each in (_decode_marks(value) if value else ())}
    old = known.pop(journal, None)
    if old is not None and (mark.offset, mark.index) <= (old.offset, old.index):
        return True
    txn.put(_MARKS, _encode((*list(known.values())[1 - INCARNATIONS :], mark)))
    return False


def forgettable(txn: Txn, now: Instant, limit: int) -> list[bytes]:
    """Return the keys of at most `limit` done rows whose time is over."""
    return [key for _, key in txn.due(_bound("done", 0), _bound("done", now), limit)]


def _bound(state: State, at: Instant) -> bytes:
    return state[:1].encode() + at.to_bytes(8, "big")


def _decoded(value: bytes) -> Attempt:
    attempt = _decode_attempt(value)
    if attempt.format > FORMAT:
        raise RowFormatError
    return attempt
