"""All that is known of one account, and the rows that keep it (ARCHITECTURE.md, section 3)."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b

import msgspec

from app.contract.instants import Instant
from app.domain import keys
from app.domain.account import Account
from app.domain.invoice import Invoice
from app.domain.occasion import Decided, Pending

FORMAT = 1
SEEN = 100
HASH_BYTES = 8


class UnknownFormatError(Exception):
    """A row was written by a newer version of Whimbrel than this one: do not let this one overwrite it."""


class Book(msgspec.Struct, frozen=True, gc=False):
    """An account, its invoices by id, what waits to be decided by (rule, subject), and its last events' hashes."""

    account: Account
    invoices: dict[str, Invoice] = {}
    pending: dict[tuple[str, str], Pending] = {}
    seen: bytes = b""

    @property
    def id(self) -> str:
        """The account's id."""
        return self.account.account_id

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

    def open_invoices(self) -> Iterator[Invoice]:
        """Only open invoices are chased."""
        return (invoice for invoice in self.invoices.values() if invoice.open)


def new_book(account_id: str, done: Instant) -> Book:
    """Return the book of an account of which nothing is known."""
    return Book(Account(account_id, done=done))


def _digest(source: str, event_id: str) -> bytes:
    return blake2b(f"{source}\0{event_id}".encode(), digest_size=HASH_BYTES).digest()


_encode = msgspec.msgpack.Encoder().encode
_account = msgspec.msgpack.Decoder(Account).decode
_invoice = msgspec.msgpack.Decoder(Invoice).decode
_decided = msgspec.msgpack.Decoder(Decided).decode
_pending = msgspec.msgpack.Decoder(Pending).decode
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


def read_book(account_id: str, rows: Iterable[tuple[bytes, bytes]]) -> Book | None:
    """Make the book of its rows, in any order; None if there are none."""
    start = len(keys.account_prefix(account_id))
    account, seen = None, b""
    invoices: dict[str, Invoice] = {}
    pending: dict[tuple[str, str], Pending] = {}
    for key, value in rows:
        kind = key[start : start + 1]
        if not kind:
            account = account_of(key, value)
        elif kind == b"i":
            invoice = invoice_of(key, value)
            invoices[invoice.invoice_id] = invoice
        elif kind == b"p":
            waiting = _pending(unpacked(key, value))
            pending[waiting.occasion.rule, waiting.occasion.subject] = waiting
        else:
            seen = bytes(unpacked(key, value))
    return Book(account, invoices, pending, seen) if account else None


def changes(before: Book | None, after: Book) -> Iterator[tuple[bytes, bytes | None]]:
    """Yield the rows to write (None: to delete) that turn `before` into `after`."""
    account_id = after.id
    if before is None or before.account is not after.account:
        yield keys.account_row(account_id), pack(after.account)
    old = before.invoices if before else {}
    for invoice_id, invoice in after.invoices.items():
        if old.get(invoice_id) is not invoice:
            yield keys.invoice_row(account_id, invoice_id), pack(invoice)
    waiting = before.pending if before else {}
    for identity, held in after.pending.items():
        if waiting.get(identity) is not held:
            yield keys.pending_row(account_id, *identity), pack(held)
    for identity in waiting.keys() - after.pending.keys():
        yield keys.pending_row(account_id, *identity), None
    if before is None or before.seen is not after.seen:
        yield keys.seen_row(account_id), _HEAD + after.seen
