"""How far an account's moments have come up, by its own row and the partition's ticks (ARCHITECTURE.md, section 4)."""

from collections.abc import Iterable

from msgspec.structs import replace

from app.contract.instants import Instant
from app.domain import keys
from app.domain.book import Book, new_book, read_book
from app.engine.parked import Parked
from app.engine.records import Cursor

NEVER: Instant = -(1 << 62)


def standing(
    account: str, rows: Iterable[tuple[bytes, bytes]], cursor: Cursor | None, parked: Parked | None = None
) -> tuple[Book | None, Book]:
    """Return an account's book as its rows keep it (None: there are none), and as it stands at the cursor.

    A parked account stands aside: where its own row says.
    """
    stored = read_book(account, rows)
    reached = reached_by(cursor, account) if parked is None else parked.clock
    return stored, new_book(account, reached) if stored is None else reaching(stored, reached)


def reaching(book: Book, reached: Instant) -> Book:
    """Return the book whose moments before `reached` have all come up."""
    if book.account.done >= reached:
        return book
    return replace(book, account=replace(book.account, done=reached))


def reached_by(cursor: Cursor | None, account: str) -> Instant:
    """Return before which instant all of the account's moments have come up, by the ticks."""
    if cursor is None:
        return NEVER
    done = cursor.after is None or keys.row_account(account) <= cursor.after
    return (cursor.instant if done else cursor.earlier) + 1
