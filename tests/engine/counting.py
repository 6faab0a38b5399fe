"""A handler that counts: enough to see whether state was applied once and outputs at least once."""

import json
from collections.abc import Iterable, Sequence

from app.engine.handler import View
from app.engine.records import Cursor, Record, Tick
from app.engine.txn import Txn


class Counting:
    """One row per key with its count, indexed by count; an output per fact and per tick."""

    out = "out"
    ticks_out = "ticks-out"
    dead = "dead"

    def __init__(self) -> None:
        self.views: list[View] = []
        self.batches: list[list[bytes | None]] = []

    def index(self, key: bytes, value: bytes) -> Iterable[bytes]:
        yield b"count|%08d|" % int(value) + key

    def records(self, batch: Sequence[Record], txn: Txn, view: View) -> None:
        self.views.append(view)
        self.batches.append([record.value for record in batch])
        for record in batch:
            key = record.key or b"none"
            count = int(txn.get(key) or b"0") + 1
            txn.put(key, b"%d" % count)
            fact = f"{record.topic}@{record.offset}"
            txn.send(
                self.out,
                key,
                json.dumps({"fact": fact, "partition": record.partition, "count": count}).encode()
                + (record.value or b""),
            )

    def tick(self, tick: Tick, cursor: Cursor | None, txn: Txn, view: View, limit: int) -> Cursor:
        """Report keys in key order, `limit` a slice, with their counts at that time."""
        self.views.append(view)
        done = cursor.after if cursor and cursor.instant == tick.instant and cursor.after else ""
        keys = sorted(row.decode() for _, row in txn.due(b"count|", b"count}", None) if row.decode() > done)
        for key in keys[:limit]:
            txn.send(self.ticks_out, key.encode(), json.dumps({"tick": tick.instant, "key": key}).encode())
        more = len(keys) > limit
        earlier = cursor.completed if cursor else 0
        return Cursor(tick.instant, tick.now, keys[limit - 1] if more else None, earlier)

    def refuse(self, record: Record, reason: str, txn: Txn, view: View) -> None:
        txn.send(self.dead, record.key, f"{record.topic}@{record.offset}".encode())

    def pass_over(self, tick: Tick, cursor: Cursor | None, reason: str, txn: Txn, view: View) -> Cursor:
        raise AssertionError(reason)
