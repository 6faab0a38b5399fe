"""What a run has left behind: records of topics without repeats, journals, and the workers' copies of the state.

`gather(bootstrap, names, states)` reads all of it, once the workers have ended. Nothing is judged here, but that an
output's repeats must be equal to it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import orjson

from app.delivery import attempts
from app.engine.filing import index_keys
from app.engine.records import COMMIT_KEY, ID_HEADER, header
from app.streams import client
from app.streams.names import Names
from app.streams.store import RocksStore
from tests.faults.verifier import Copy, JournalRecord

ATTEMPT = b"attempt/"

read_attempt = msgspec.msgpack.Decoder(attempts.Attempt).decode

Index = Callable[[bytes, bytes], Iterable[bytes]]


@dataclass(frozen=True)
class Table:
    """One app's journal and state: where they lie, and how its rows are indexed."""

    app: str
    journal: str
    index: Index


@dataclass(frozen=True)
class Partition:
    """One partition of a table as it was found."""

    place: str
    journal: Sequence[JournalRecord]
    copies: Sequence[Copy]
    index: Index


@dataclass(frozen=True)
class Evidence:
    """See the module. `wrong` says which repeats differ."""

    decisions: list[dict[str, Any]]
    deliveries: list[dict[str, Any]]
    dead: list[dict[str, Any]]
    repeats: int
    wrong: list[str]
    attempted: set[str]
    state: list[Partition]


def tables(names: Names) -> tuple[Table, Table]:
    """Return the tables of both apps."""
    return (
        Table(f"{names.prefix}whimbrel-triggers", names.book_journal, index_keys),
        Table(f"{names.prefix}whimbrel-sender", names.attempts_journal, attempts.index),
    )


async def gather(bootstrap: str, names: Names, states: Sequence[Path]) -> Evidence:
    """Read everything. `states` are the state directories of all workers."""
    outputs = [await _unrepeated(bootstrap, topic) for topic in (names.decisions, names.deliveries, names.dead_letters)]
    state = [each for table in tables(names) for each in await read_table(bootstrap, table, states)]
    return Evidence(
        decisions=outputs[0].values,
        deliveries=outputs[1].values,
        dead=outputs[2].values,
        repeats=sum(each.repeats for each in outputs),
        wrong=[line for each in outputs for line in each.wrong],
        attempted=attempted(record for each in state for record in each.journal),
        state=state,
    )


@dataclass
class _Outputs:
    values: list[dict[str, Any]]
    repeats: int
    wrong: list[str]


async def _unrepeated(bootstrap: str, topic: str) -> _Outputs:
    known: dict[bytes, bytes] = {}
    outputs = _Outputs([], 0, [])
    for record in await client.read(bootstrap, topic):
        output_id, value = header(record, ID_HEADER) or b"", record.value or b""
        if output_id not in known:
            outputs.values.append(orjson.loads(value))
        else:
            outputs.repeats += 1
            if known[output_id] != value:
                outputs.wrong.append(f"{topic}: two outputs under the id {output_id.decode()}")
        known.setdefault(output_id, value)
    return outputs


def attempted(journal: Iterable[JournalRecord]) -> set[str]:
    """Return the dedup keys of the rows of `attempts` that were ever `attempting`."""
    found = set()
    for _, key, value in journal:
        if key.startswith(ATTEMPT) and value is not None and read_attempt(value).state == "attempting":
            found.add(key.removeprefix(ATTEMPT).decode())
    return found


async def read_table(bootstrap: str, table: Table, states: Sequence[Path]) -> list[Partition]:
    """Return the table's partitions, in order."""
    journals: dict[int, list[JournalRecord]] = {}
    for record in await client.read(bootstrap, table.journal):
        journals.setdefault(record.partition, []).append((record.offset, record.key or b"", record.value))
    return [
        Partition(
            place=f"{table.app}[{partition}]",
            journal=journal,
            copies=[copy for state in states for copy in _copies(state, table, partition)],
            index=table.index,
        )
        for partition, journal in sorted(journals.items())
    ]


def _copies(state: Path, table: Table, partition: int) -> Iterable[Copy]:
    path = state / table.app / str(partition)
    if path.exists():
        store = RocksStore(path, table.index, lambda: 0)
        rows, entries = dict(store.scan(b"")), store.due(b"", b"\xff")
        yield Copy(state.name, store.offset, rows, entries, store.get(COMMIT_KEY))
        store.close()
