"""What the running system knows, as its journal tells it: read by tools, in no group, beside the workers."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import aclosing
from typing import NamedTuple

from app.config.record import read_record
from app.domain import keys
from app.domain.rules import Rulebook
from app.engine.memory import MemoryStore
from app.engine.parked import parked_accounts
from app.engine.records import COMMIT_KEY, Commit, decode_commit
from app.engine.ticks import MILLISECOND
from app.engine.txn import Rows, Txn
from app.errors import WhimbrelError
from app.streams.client import newest, records

BOOKS = (b"account", b"decided", b"cap", b"parked")
"""The tables that say how an account stands; the others are the partition's own."""


class NothingKnownError(WhimbrelError):
    """Nothing is known yet of what is asked for."""


class State(NamedTuple):
    """One partition as of its last commit: `rows` by account, spelled as `keys.row_account` does."""

    partition: int
    commit: Commit
    rows: Mapping[bytes, Mapping[bytes, bytes]]

    def accounts(self) -> Iterator[tuple[str, Rows, bool]]:
        """Yield each account's (or login's) id with its rows, and whether it is parked."""
        for spelled, rows in sorted(self.rows.items()):
            account = keys.account_of_row(spelled.decode())
            if keys.account_row(account) in rows:
                store = _store(rows)
                yield account, store, bool(parked_accounts(Txn(store)))


async def rulebook_in_force(bootstrap: str, topic: str) -> Rulebook:
    """Return the newest configuration applied. Raises NothingKnownError, RecordError, KafkaAwayError."""
    record = await newest(bootstrap, topic)
    if record is None or record.value is None:
        raise NothingKnownError("no configuration has been applied: whimbrel config apply DIR")
    return read_record(record.value, record.timestamp * MILLISECOND, record.offset)


async def state_of(bootstrap: str, journal: str, partition: int, account: str | None = None) -> State | None:
    """Return what the partition's journal keeps, of one account alone if it is named; None where it is still empty."""
    wanted = _of_account(account)
    rows: dict[bytes, dict[bytes, bytes]] = {}
    commit = None
    async with aclosing(records(bootstrap, journal, partition=partition)) as each:
        async for record in each:
            key, value = record.key or b"", record.value
            if key == COMMIT_KEY and value:
                commit = value
            elif wanted(key):
                of = rows.setdefault(key.split(b"/", 2)[1], {})
                if value is None:
                    of.pop(key, None)
                else:
                    of[key] = value
    return State(partition, decode_commit(commit), rows) if commit else None


def _of_account(account: str | None) -> Callable[[bytes], bool]:
    tables = tuple(table + b"/" for table in BOOKS)
    if account is not None:
        spelled = keys.row_account(account).encode()
        tables = tuple(table + spelled + b"/" for table in tables)
    return lambda key: key.startswith(tables)


def _store(rows: Mapping[bytes, bytes]) -> MemoryStore:
    store = MemoryStore(lambda _key, _value: ())
    store.write(rows, 0)
    return store
