"""All that is known of one account, and the rows that keep it (ARCHITECTURE.md, section 3)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec

from app.contract.instants import Instant
from app.domain import keys
from app.domain.account import Account
from app.domain.card import Card
from app.domain.invoice import Invoice
from app.domain.job import Job
from app.domain.occasion import Decided, Pending, Tally
from app.domain.usage import Usage

_K = TypeVar("_K", str, tuple[str, str])

FORMAT = 1
SEEN = 100
HASH_BYTES = 8


class UnknownFormatError(Exception):
    """A row was written by a newer version of Whimbrel than this one: do not let this one overwrite it."""


class Book(msgspec.Struct, frozen=True, gc=False):
    """An account with its invoices, cards, jobs and usages by id, what waits to be decided, its last events' hashes.

    A user's login has a book of its own, with neither of them (see `keys.user_book`).
    """

    account: Account
    invoices: dict[str, Invoice] = {}
    cards: dict[str, Card] = {}
    jobs: dict[str, Job] = {}
    usages: dict[str, Usage] = {}
    pending: dict[tuple[str, str], Pending] = {}
    seen: bytes = b""

    @property
    def id(self) -> str:
        """The account's id; for a login see `keys.user_book`."""
        return self.account.account_id

    @property
    def company_id(self) -> str | None:
        """The company; None while the account is unknown."""
        account = self.account
        if account.details is not None:
            return account.details.company_id
        return account.login.company_id if account.login is not None else None

    def has_seen(self, source: str, event_id: str) -> bool:
        """Whether the event is one of the last 100 of this account."""
        wanted = _digest(source, event_id)
        at = self.seen.find(wanted)
        while at >= 0 and at % HASH_BYTES:
            at = self.seen.find(wanted, at + 1)
        return at >= 0

    def seeing(self, source: str, event_id: str) -> "Book":
        """Return the book in which the event is known."""
        return msgspec.structs.replace(self, seen=(self.seen + _digest(source, event_id))[-SEEN * HASH_BYTES :])

    def open_invoices(self) -> list[Invoice]:
        """Only open invoices are chased."""
        return [invoice for invoice in self.invoices.values() if invoice.open]


def new_book(account_id: str, done: Instant) -> Book:
    """Return the book of an account of which nothing is known."""
    return Book(Account(account_id, done=done))


def hashes_in(seen: bytes) -> frozenset[bytes]:
    """Return the hashes that `Book.seen` strings together."""
    return frozenset(seen[at : at + HASH_BYTES] for at in range(0, len(seen), HASH_BYTES))


@lru_cache(maxsize=1 << 10)
def _digest(source: str, event_id: str) -> bytes:
    return blake2b(f"{source}\0{event_id}".encode(), digest_size=HASH_BYTES).digest()


_encode = msgspec.msgpack.Encoder().encode
_account = msgspec.msgpack.Decoder(Account).decode
_invoice = msgspec.msgpack.Decoder(Invoice).decode
_decided = msgspec.msgpack.Decoder(Decided).decode
_pending = msgspec.msgpack.Decoder(Pending).decode
_card = msgspec.msgpack.Decoder(Card).decode
_tally = msgspec.msgpack.Decoder(Tally).decode
_TABLES: dict[str, tuple[str, Callable[[memoryview], Any]]] = {
    "invoice": ("invoices", _invoice),
    "card": ("cards", _card),
    "job": ("jobs", msgspec.msgpack.Decoder(Job).decode),
    "usage": ("usages", msgspec.msgpack.Decoder(Usage).decode),
}
"""Kinds of rows that a book has many of: its attribute, and how they are read."""
_HEAD = bytes([FORMAT])


def pack(value: msgspec.Struct) -> bytes:
    """Return a row's value: its format's number, then the value in msgpack."""
    return _HEAD + _encode(value)


def unpacked(key: bytes, value: bytes) -> memoryview:
    """Return a row's value without its format's number; raise UnknownFormatError if that is a newer one."""
    if value[0] > FORMAT:
        raise UnknownFormatError(
            f"row {key!r} has format {value[0]}, this worker knows {FORMAT}: run the newer version"
        )
    return memoryview(value)[1:]


def invoice_of(key: bytes, value: bytes) -> Invoice:
    """Read one invoice's row."""
    return _invoice(unpacked(key, value))


def account_of(key: bytes, value: bytes) -> Account:
    """Read an account's own row."""
    return _account(unpacked(key, value))


def decided_of(key: bytes, value: bytes) -> Decided:
    """Read the row of what was decided of a subject."""
    return _decided(unpacked(key, value))


def card_of(key: bytes, value: bytes) -> Card:
    """Read one card's row."""
    return _card(unpacked(key, value))


def tally_of(key: bytes, value: bytes) -> Tally:
    """Read the row of how many notifications a contact got."""
    return _tally(unpacked(key, value))


def pending_of(key: bytes, value: bytes) -> Pending:
    """Read the row of what waits to be decided."""
    return _pending(unpacked(key, value))


def read_book(account_id: str, rows: Iterable[tuple[bytes, bytes]]) -> Book | None:
    """Make the book of its rows, in any order; None if there are none."""
    start = len(keys.account_prefix(account_id))
    account, seen = None, b""
    found: dict[str, dict[str, Any]] = {attribute: {} for attribute, _ in _TABLES.values()}
    pending: dict[tuple[str, str], Pending] = {}
    for key, value in rows:
        kind = key[start:].partition(b"/")[0]
        if not kind:
            account = account_of(key, value)
        elif kind == b"pending":
            waiting = pending_of(key, value)
            pending[waiting.occasion.rule, waiting.occasion.subject] = waiting
        elif kind == b"seen":
            seen = bytes(unpacked(key, value))
        else:
            attribute, decode = _TABLES[kind.decode()]
            row = decode(unpacked(key, value))
            found[attribute][row.row_id] = row
    return Book(account, pending=pending, seen=seen, **found) if account else None


def changes(before: Book | None, after: Book) -> Iterator[tuple[bytes, bytes | None]]:
    """Yield the rows to write (None: to delete) that turn `before` into `after`."""
    account_id = after.id
    if before is None or before.account is not after.account:
        yield keys.account_row(account_id), pack(after.account)
    for kind, (attribute, _) in _TABLES.items():
        old = getattr(before, attribute) if before else {}
        for row_id, value in _difference(old, getattr(after, attribute)):
            yield keys.item_row(account_id, kind, row_id), value
    for identity, value in _difference(before.pending if before else {}, after.pending):
        yield keys.pending_row(account_id, *identity), value
    if before is None or before.seen is not after.seen:
        yield keys.seen_row(account_id), _HEAD + after.seen


def _difference(
    old: Mapping[_K, msgspec.Struct], new: Mapping[_K, msgspec.Struct]
) -> Iterator[tuple[_K, bytes | None]]:
    if old is new:
        return
    for key, value in new.items():
        if old.get(key) is not value:
            yield key, pack(value)
    for key in old.keys() - new.keys():
        yield key, None
