"""A book and its rows."""

import pytest
from msgspec.structs import replace

from app.domain import keys
from app.domain.account import Account
from app.domain.book import (
    FORMAT,
    SEEN,
    Book,
    UnknownFormatError,
    account_of,
    changes,
    decided_of,
    hashes_in,
    invoice_of,
    new_book,
    pack,
    read_book,
)
from app.domain.occasion import Decided, Pending
from tests.builders import a_book, a_rule, an_account, an_invoice, an_occasion


def a_full_book() -> Book:
    pending = Pending(an_occasion(a_rule(x=1), "invoice:i1:2026-06-10:1", about="i1"), "lagging", 5)
    book = replace(a_book(an_invoice("i/1"), an_invoice("i2", version=3)), pending={_identity(pending): pending})
    return book.seeing("billing", "e1")


def _identity(pending: Pending) -> tuple[str, str]:
    return pending.occasion.rule, pending.occasion.subject


def rows_of(book: Book, before: Book | None = None) -> dict[bytes, bytes | None]:
    return dict(changes(before, book))


def test_a_book_is_what_its_rows_say() -> None:
    book = a_full_book()
    rows = [(key, value) for key, value in rows_of(book).items() if value is not None]
    assert read_book("a1", sorted(rows)) == book
    assert len(rows) == 5


def test_no_rows_are_no_book() -> None:
    assert read_book("a1", []) is None


def test_an_unchanged_book_writes_no_row() -> None:
    book = a_full_book()
    assert rows_of(book, book) == {}


def test_only_what_has_changed_is_written() -> None:
    before = a_full_book()
    paid = replace(before.invoices["i2"], balance=0)
    after = replace(before, invoices={**before.invoices, "i2": paid}, pending={})
    rows = rows_of(after, before)
    assert set(rows) == {
        keys.item_row("a1", "invoice", "i2"),
        *(keys.pending_row("a1", *one) for one in before.pending),
    }
    assert [value for value in rows.values() if value is None] == [None]


def test_all_of_a_new_book_is_written() -> None:
    assert set(rows_of(new_book("a1", 7))) == {keys.account_row("a1"), keys.seen_row("a1")}


def test_a_row_of_a_newer_format_is_refused() -> None:
    key = keys.account_row("a1")
    value = bytes([FORMAT + 1]) + pack(Account("a1"))[1:]
    with pytest.raises(UnknownFormatError, match=f"format {FORMAT + 1}, this worker knows {FORMAT}"):
        account_of(key, value)


def test_each_kind_of_row_can_be_read_by_itself() -> None:
    invoice, decided = an_invoice(), Decided((1, 2), 2)
    assert invoice_of(b"k", pack(invoice)) == invoice
    assert decided_of(b"k", pack(decided)) == decided
    assert account_of(b"k", pack(an_account())) == an_account()


def test_only_open_invoices_with_a_balance_are_open() -> None:
    book = a_book(
        an_invoice("i1"),
        an_invoice("i2", balance=0),
        an_invoice("i3", status="paid"),
        an_invoice("i4", status="void"),
        an_invoice("i5", status="written_off"),
    )
    assert [invoice.invoice_id for invoice in book.open_invoices()] == ["i1"]


def test_the_last_events_are_known_and_those_before_them_forgotten() -> None:
    book = new_book("a1", 0)
    for number in range(SEEN + 1):
        book = book.seeing("billing", f"e{number}")
    assert not book.has_seen("billing", "e0")
    assert book.has_seen("billing", "e1")
    assert book.has_seen("billing", f"e{SEEN}")
    assert not book.has_seen("portal", "e1")


def test_the_known_events_are_the_same_in_whatever_order_they_came() -> None:
    one = new_book("a1", 0).seeing("billing", "e1").seeing("portal", "e2")
    another = new_book("a1", 0).seeing("portal", "e2").seeing("billing", "e1")
    assert one.seen != another.seen
    assert hashes_in(one.seen) == hashes_in(another.seen)
    assert hashes_in(one.seen) - hashes_in(new_book("a1", 0).seeing("billing", "e1").seen)
    assert not hashes_in(b"")


def test_the_end_of_one_known_event_and_the_beginning_of_the_next_are_no_known_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Digests stand side by side: a find in the middle of two of them is none."""
    digests = {"e1": b"AAAAAAAB", "e2": b"CCCCCCCC", "e3": b"AAAABCCC", "e4": b"BCCCCCCC"}
    monkeypatch.setattr("app.domain.book._digest", lambda _, event_id: digests[event_id])
    book = new_book("a1", 0).seeing("s", "e1").seeing("s", "e2")
    assert not book.has_seen("s", "e4")
    assert not book.has_seen("s", "e3")
    assert book.seeing("s", "e4").has_seen("s", "e4")
