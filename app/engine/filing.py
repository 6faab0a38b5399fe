"""Under which dates a row stands in the due index: a pure function of the row (ARCHITECTURE.md, section 4).

A restore asks this of every row there is, so it reads through small structs that have only the fields looked at:
msgspec passes over the rest. Dates are not parsed, and ids stay as the row's key spells them.
"""

from collections.abc import Sequence

import msgspec

from app.contract.instants import Instant
from app.domain import keys
from app.domain.book import card_of, decided_of, tally_of, unpacked
from app.domain.calendar import days_after, first_instant
from app.domain.occasion import Tally

READY = "ready"
IRREGULAR = "irregular"


class _Invoice(msgspec.Struct, gc=False):
    """Of app.domain.invoice.Invoice; days are `YYYY-MM-DD`."""

    balance: int
    due_on: str
    status: str = "open"
    since: str | None = None
    ready_on: str | None = None
    zone_key: str = ""
    irregular: bool = False


class _Details(msgspec.Struct, gc=False):
    company_id: str
    time_zone: str | None = None


class _Episode(msgspec.Struct, gc=False):
    day: str


class _Account(msgspec.Struct, gc=False):
    """Of app.domain.account.Account."""

    details: _Details | None = None
    wake: Instant | None = None
    episode: _Episode | None = None


class _Pending(msgspec.Struct, gc=False):
    """Of app.domain.occasion.Pending."""

    release: Instant | None = None
    held: Instant | None = None


_invoice = msgspec.msgpack.Decoder(_Invoice).decode
_account = msgspec.msgpack.Decoder(_Account).decode
_pending = msgspec.msgpack.Decoder(_Pending).decode


def index_keys(key: bytes, value: bytes) -> Sequence[bytes]:
    """Return the index keys of a row: `anchor|zone|date|account|id`, `wake|instant|account`, `expires|instant|row`."""
    table, account, rest = key.decode().split("/", 2)
    if table == "account":
        if rest.startswith("invoice/"):
            return _of_invoice(_invoice(unpacked(key, value)), f"{account}|{rest}")
        if not rest:
            return _of_account(_account(unpacked(key, value)), account)
        if rest.startswith("card/"):
            return _of_card(key, value, f"{account}|{rest}")
        if rest.startswith("pending/"):
            return _of_pending(_pending(unpacked(key, value)), f"{account}|{rest}")
    elif table in {"decided", "cap"}:
        until = decided_of(key, value).until if table == "decided" else end_of(tally_of(key, value))
        return (instant_key("expires", until, key.decode()),)
    return ()


def _of_invoice(invoice: _Invoice, rest: str) -> list[bytes]:
    found: list[bytes] = []
    zone = invoice.zone_key
    if not zone:  # its account is not known yet: no days come up
        return found
    if invoice.balance > 0 and invoice.status == "open":
        found.append(f"due|{zone}|{invoice.due_on}|{rest}".encode())
    if invoice.ready_on is not None:
        found.append(f"{IRREGULAR if invoice.irregular else READY}|{zone}|{invoice.ready_on}|{rest}".encode())
    if invoice.since is not None:
        found.append(f"since|{zone}|{invoice.since}|{rest}".encode())
    return found


def _of_account(row: _Account, account: str) -> list[bytes]:
    found = [] if row.wake is None else [instant_key("wake", row.wake, account)]
    if row.episode is not None and row.details is not None:
        zone = keys.zone_key(row.details.time_zone, row.details.company_id)
        found.append(f"episode|{zone}|{row.episode.day}|{account}|".encode())
    return found


def _of_card(key: bytes, value: bytes, rest: str) -> tuple[bytes, ...]:
    card = card_of(key, value)
    if not card.autopay or not card.zone_key:  # as of an invoice: without its account no days come up
        return ()
    return (f"card|{card.zone_key}|{card.last_day}|{rest}".encode(),)


def _of_pending(pending: _Pending, rest: str) -> tuple[bytes, ...]:
    """File what is held without an end in sight: only another configuration lets it go."""
    return (f"switch|{rest}".encode(),) if pending.release is None and pending.held is not None else ()


def instant_key(anchor: str, instant: Instant, rest: str) -> bytes:
    """Return an index key that is sorted by instant."""
    return f"{anchor}|{max(instant, 0):020d}|{rest}".encode()


def end_of(tally: Tally) -> Instant:
    """Return when a day's tally is of no use any more, in whatever zone."""
    return first_instant("UTC", days_after(tally.day, 2))
