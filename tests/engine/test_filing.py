"""What a row is filed under is read past most of its fields: it must be what the whole row says."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import keys
from app.domain.account import Account, Details, Episode
from app.domain.book import UnknownFormatError, pack
from app.domain.card import Card
from app.domain.invoice import Invoice
from app.domain.job import Job
from app.domain.occasion import Decided, Occasion, Pending, Tally
from app.domain.usage import Usage
from app.engine.filing import end_of, index_keys

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
days = st.dates(date(1900, 1, 1), date(2999, 12, 31))
instants = st.integers(-(2**62), 2**62)
counts = st.integers(-(2**53), 2**53)
TEXTS = {str: names, int: counts, bool: st.booleans(), date: days}


def some(kind: type[msgspec.Struct], **known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Any of the kind: fields of simple types are drawn, others only as `known` says."""
    drawn = {}
    for field in msgspec.structs.fields(kind):
        options = getattr(field.type, "__args__", (field.type,))
        simple = [
            TEXTS[option] if option in TEXTS else st.none() for option in options if option in (*TEXTS, type(None))
        ]
        if field.name not in known and len(simple) == len(options):
            drawn[field.name] = st.one_of(simple)
    return st.builds(kind, **drawn, **known)


zone_keys = st.sampled_from(["", "company:acme", "UTC"])
invoices = some(
    Invoice, status=st.sampled_from(["open", "paid", "void"]), balance=st.integers(-1, 2), zone_key=zone_keys
)
months = st.builds("{:04}-{:02}".format, st.integers(1900, 2999), st.integers(1, 12))
cards = some(Card, expires=months, since=instants, zone_key=zone_keys)
episodes = st.none() | some(Episode, at=instants)
accounts = some(Account, wake=st.none() | instants, details=st.none() | some(Details), episode=episodes)
decided = some(Decided, moments=st.lists(instants, min_size=1, max_size=3).map(tuple))
occasions = some(Occasion)
pendings = some(Pending, occasion=occasions, release=st.none() | instants, held=st.none() | instants)


def of_account(account: Account) -> Iterator[str]:
    owner = keys.row_account(account.account_id)
    if account.wake is not None:
        yield f"wake|{max(account.wake, 0):020}|{owner}"
    if account.episode is not None and account.details is not None:
        zone = account.details.time_zone or keys.company_zone(account.details.company_id)
        yield f"episode|{zone}|{account.episode.day}|{owner}|"


def of_invoice(invoice: Invoice, rest: str) -> Iterator[str]:
    dates = {
        "due": invoice.due_on if invoice.open else None,
        "irregular" if invoice.irregular else "ready": invoice.ready_on,
        "since": invoice.since,
    }
    for anchor, day in dates.items():
        if day is not None and invoice.zone_key:
            yield f"{anchor}|{invoice.zone_key}|{day}|{rest}"


def filed_under(key: bytes, row: msgspec.Struct, account: str) -> set[str]:
    """The index keys, by the whole row."""
    if isinstance(row, Account):
        return set(of_account(row))
    rest = f"{keys.row_account(account)}|{keys.parse_row(key)[2]}"
    if isinstance(row, Invoice):
        return set(of_invoice(row, rest))
    if isinstance(row, Card):
        return {f"card|{row.zone_key}|{row.last_day}|{rest}"} if row.autopay and row.zone_key else set()
    if isinstance(row, Decided | Tally):
        until = row.until if isinstance(row, Decided) else end_of(row)
        return {f"expires|{max(until, 0):020}|{key.decode()}"}
    if isinstance(row, Pending) and row.release is None and row.held is not None:
        return {f"switch|{rest}"}
    return set()


@given(account=accounts)
def test_an_account_is_filed_as_its_whole_row_says(account: Account) -> None:
    key = keys.account_row(account.account_id)
    check(key, account, account.account_id)


@given(row=st.one_of(invoices, cards, some(Job), some(Usage)), owner=names)
def test_an_item_is_filed_as_its_whole_row_says(row: Any, owner: str) -> None:
    check(keys.item_row(owner, type(row).__name__.lower(), row.row_id), row, owner)


@given(row=st.one_of(decided, some(Tally), pendings), owner=names, rule=names, about=names)
def test_what_was_decided_waits_or_is_counted_is_filed_as_its_whole_row_says(
    row: Any, owner: str, rule: str, about: str
) -> None:
    subject = keys.subject(about)
    made: dict[type, bytes] = {
        Decided: keys.decided_row(owner, rule, subject),
        Pending: keys.pending_row(owner, rule, subject),
        Tally: keys.cap_row(owner, rule),
    }
    check(made[type(row)], row, owner)


def check(key: bytes, row: msgspec.Struct, account: str) -> None:
    found = index_keys(key, pack(row))
    assert {each.decode() for each in found} == filed_under(key, row, account)
    assert len(set(found)) == len(found)


def test_events_seen_are_filed_under_nothing_and_a_newer_format_is_refused() -> None:
    assert not index_keys(keys.seen_row("a"), b"\x01" + bytes(8))
    with pytest.raises(UnknownFormatError):
        index_keys(keys.item_row("a", "invoice", "i"), b"\xff")
