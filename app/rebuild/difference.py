"""What the old rows and the rebuilt ones do not agree in, by table."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from app.contract.instants import Instant
from app.domain import keys
from app.domain.account import Account
from app.domain.book import (
    Book,
    account_of,
    card_of,
    decided_of,
    hashes_in,
    invoice_of,
    pending_of,
    tally_of,
    unpacked,
)
from app.domain.companies import Company
from app.domain.job import Job
from app.domain.moving import followed
from app.domain.usage import Usage
from app.engine.filing import end_of
from app.engine.totals import ROW as TOTALS_ROW
from app.engine.totals import Totals

TABLES: Final = ("accounts", "invoices", "cards", "jobs", "usage", "pending", "seen", "decided", "cap", "totals")
NAMED: Final = 10
"""Of a table's differing rows so many are named."""

BESIDE: Final = (b"~", b"guard/", b"letters/", b"parked/")
"""What the partition keeps beside its accounts."""

Kind = Literal["differs", "only old", "only new"]
Rows = Mapping[bytes, bytes]

_KINDS: Final = {
    "": "accounts",
    "invoice": "invoices",
    "card": "cards",
    "job": "jobs",
    "usage": "usage",
    "pending": "pending",
    "seen": "seen",
}
_job = msgspec.msgpack.Decoder(Job).decode
_usage = msgspec.msgpack.Decoder(Usage).decode
_totals = msgspec.msgpack.Decoder(Totals).decode


class Differing(Struct, frozen=True):
    """One row; `fields` are those that differ, never what they hold."""

    table: str
    key: bytes
    kind: Kind
    fields: tuple[str, ...] = ()


class Comparison:
    """Rows equal by table, and those that are not; equal is what every worker would take for the same."""

    def __init__(
        self, old: Rows, new: Rows, reached: Callable[[str], Instant], companies: Mapping[str, Company]
    ) -> None:
        """`reached` gives the instant before which all of an account's moments have come up."""
        self.equal = dict.fromkeys(TABLES, 0)
        self.found: list[Differing] = []
        self._old, self._new, self._reached, self._companies = old, new, reached, companies
        for key in sorted({*filter(is_compared, old), *filter(is_compared, new)}):
            self._compare(table_of(key), key)

    def of(self, table: str, kind: Kind) -> list[Differing]:
        """Return the table's rows of that kind."""
        return [each for each in self.found if (each.table, each.kind) == (table, kind)]

    def changes(self) -> dict[bytes, bytes | None]:
        """Return what turns the old rows into the new ones."""
        return {each.key: self._new.get(each.key) for each in self.found}

    def keeping(self, kept: Callable[[bytes], bool]) -> "Comparison":
        """Return what is left where the rows of which `kept` is true stay as they are."""
        others = {key: value for key, value in self._new.items() if not kept(key)}
        return Comparison(
            self._old, others | {k: v for k, v in self._old.items() if kept(k)}, self._reached, self._companies
        )

    def _compare(self, table: str, key: bytes) -> None:
        old, new = self._normal(table, key, self._old.get(key)), self._normal(table, key, self._new.get(key))
        if old == new:
            self.equal[table] += old is not None
        elif old is None or new is None:
            self.found.append(Differing(table, key, "only new" if old is None else "only old"))
        else:
            self.found.append(Differing(table, key, "differs", tuple(_fields(old, new))))

    def _normal(self, table: str, key: bytes, value: bytes | None) -> Any:
        """Return the row as it matters to a worker: None where it is as good as none."""
        if value is None:
            return None
        try:
            row = _NORMAL[table](key, value, self._reached(account_id(key)))
        except (msgspec.DecodeError, ValueError):
            return "cannot be read"
        return self._followed(row) if isinstance(row, Account) else row

    def _followed(self, account: Account) -> Account:
        """Return it with its company's changes of zone: an account takes them in when it is next looked at."""
        book = Book(account)
        company = self._companies.get(book.company_id or "")
        return account if company is None else followed(book, company).account


def is_compared(key: bytes) -> bool:
    """Whether topics can tell the row: counts of the last hour, open trips and who is parked they cannot."""
    return key == TOTALS_ROW or not key.startswith(BESIDE)


def table_of(key: bytes) -> str:
    """Return the name of the row's table."""
    if key == TOTALS_ROW:
        return "totals"
    table, _, rest = keys.parse_row(key)
    return _KINDS[rest.partition("/")[0]] if table == "account" else table


def account_id(key: bytes) -> str:
    """Return whose row it is; empty for the partition's own."""
    return "" if key.startswith(BESIDE) else keys.parse_row(key)[1]


def _account(key: bytes, value: bytes, reached: Instant) -> Account:
    """Leave out how far the row's clock happened to be written down: the cursor says where it stands."""
    account = account_of(key, value)
    done = max(account.done, reached)
    muted = account.muted if account.muted is not None and account.muted.at >= done else None
    return replace(account, done=done, muted=muted)


def _seen(key: bytes, value: bytes, reached: Instant) -> frozenset[bytes]:
    """Leave out the order: topics do not tell it across topics."""
    del reached
    return hashes_in(bytes(unpacked(key, value)))


def _decided(key: bytes, value: bytes, reached: Instant) -> Any:
    decided = decided_of(key, value)
    return decided if decided.until >= reached else None


def _cap(key: bytes, value: bytes, reached: Instant) -> Any:
    tally = tally_of(key, value)
    return tally if end_of(tally) >= reached else None


def _total(key: bytes, value: bytes, reached: Instant) -> Totals | None:
    del reached
    totals = _totals(unpacked(key, value))
    return None if totals == Totals() else totals


_NORMAL: Final[Mapping[str, Callable[[bytes, bytes, Instant], Any]]] = {
    "accounts": _account,
    "invoices": lambda key, value, _: invoice_of(key, value),
    "cards": lambda key, value, _: card_of(key, value),
    "jobs": lambda key, value, _: _job(unpacked(key, value)),
    "usage": lambda key, value, _: _usage(unpacked(key, value)),
    "pending": lambda key, value, _: pending_of(key, value),
    "seen": _seen,
    "decided": _decided,
    "cap": _cap,
    "totals": _total,
}


def _fields(old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, Struct) and isinstance(new, Struct):
        yield from (name for name in old.__struct_fields__ if getattr(old, name) != getattr(new, name))
    else:
        yield "events" if isinstance(old, frozenset) and isinstance(new, frozenset) else "all"
