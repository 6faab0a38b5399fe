"""Which partition a row belongs to, and what a journal's rows become when the number of partitions grows.

Facts, and all that is about their account, lie where Kafka's default partitioner puts the account's (or user's) id.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from msgspec.structs import replace

from app.contract.instants import Instant
from app.domain import keys
from app.domain.book import account_of, pack, pending_of
from app.engine.parked import PREFIX as PARKED
from app.engine.records import Commit, Cursor
from app.engine.totals import Totals
from app.streams.partitioner import partition_of

Rows = Mapping[bytes, bytes]
Owner = Callable[[bytes], str | None]
"""The account's or user's id that a row is about; None for a partition's own rows."""

_BOOK: Final = ("account", "decided", "cap", "parked")
_ATTEMPT: Final = b"attempt/"
ACCOUNT: Final = b"account/"


def owner_of_book_row(key: bytes) -> str | None:
    """Return whose row of the table `book` it is. What is counted by the hour is the partition's own, and stays."""
    table = key.partition(b"/")[0].decode()
    return keys.owner(keys.parse_row(key)[1]) if table in _BOOK else None


def owner_of_attempt(key: bytes) -> str | None:
    """Return whose row of the table `attempts` it is. Marks of repeats are the partition's own, and stay."""
    return keys.owner_of(key.removeprefix(_ATTEMPT).decode()) if key.startswith(_ATTEMPT) else None


def misplaced(rows: Rows, owner_of: Owner, here: int, partitions: int) -> dict[int, dict[bytes, bytes]]:
    """Return the rows that belong to another partition than `here`, by that."""
    found: dict[int, dict[bytes, bytes]] = defaultdict(dict)
    for key, value in rows.items():
        owner = owner_of(key)
        there = here if owner is None else partition_of(owner, partitions)
        if there != here:
            found[there][key] = value
    return found


def with_own_clocks(rows: Rows, reached: Instant) -> Iterator[tuple[bytes, bytes]]:
    """Yield the accounts' rows in which it is written down that all moments before `reached` have come up.

    Where nothing is said of it the cursor tells; that of another partition may stand elsewhere. Parked accounts stand
    where their own row says.
    """
    for key, value in rows.items():
        if is_account(key) and PARKED + key.removeprefix(ACCOUNT) not in rows:
            account = account_of(key, value)
            if account.done < reached:
                yield key, pack(replace(account, done=reached))


def is_account(key: bytes) -> bool:
    """Whether it is an account's own row."""
    return key.startswith(ACCOUNT) and not keys.parse_row(key)[2]


def totals_of(rows: Rows) -> Totals:
    """Return what the partition's row of totals must say."""
    known, held = 0, Counter[str]()
    for key, value in rows.items():
        if is_account(key):
            known += account_of(key, value).details is not None
        elif key.startswith(ACCOUNT) and keys.parse_row(key)[2].startswith("pending/"):
            pending = pending_of(key, value)
            held.update([pending.why] if pending.held is not None else [])
    return Totals(known, dict(held))


def lowest(commits: Mapping[int, Commit]) -> Cursor | None:
    """Return the earliest cursor: with it in every partition no moment is passed over, whoever moves where."""
    cursors = [commit.cursor for commit in commits.values() if commit.cursor is not None]
    return min(cursors, key=lambda cursor: cursor.instant, default=None)


def first_commit(
    incarnation: str, positions: Mapping[str, int], cursor: Cursor | None, old: Mapping[int, Commit]
) -> Commit:
    """Return what a new partition begins with: it is live since the last of the others has been."""
    live = [commit.live_since for commit in old.values() if commit.live_since is not None]
    return Commit(incarnation=incarnation, positions=dict(positions), cursor=cursor, live_since=max(live, default=None))
