"""The ticks of one partition: which one is next."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from app.contract.instants import MINUTE, Instant, parse_instant
from app.engine.inputs import Fetch, Inputs, Queue
from app.engine.ports import StateUnusableError
from app.engine.records import FROM_HEADER, NOW_HEADER, Record, Tick, header

OVERTAKEN = 15 * MINUTE
"""A tick so far behind says nothing of what its input topics got since (ARCHITECTURE.md, section 4)."""
MILLISECOND = 1_000


class TickValue(msgspec.Struct):
    """The value of a record on the ticks topic: last stable offsets of the input partitions when it was made."""

    partition: int
    ends: dict[str, int]


class TickMark(NamedTuple):
    """A tick and the input offsets that come before it; `since` is the history's first instant, where it has one."""

    tick: Tick
    ends: Mapping[str, int]
    since: Instant | None


_decode = msgspec.json.Decoder(TickValue).decode


def read_tick(record: Record) -> TickMark:
    """Read a record of the ticks topic: its time is the header `whimbrel-now`, else the broker's timestamp."""
    if record.value is None:
        raise StateUnusableError(f"{record.topic}[{record.partition}]@{record.offset}: a tick without a value")
    try:
        ends = _decode(record.value).ends
    except msgspec.DecodeError as error:
        raise StateUnusableError(f"{record.topic}[{record.partition}]@{record.offset}: not a tick: {error}") from error
    now, since = header(record, NOW_HEADER), header(record, FROM_HEADER)
    instant = parse_instant(now.decode()) if now else record.timestamp * MILLISECOND
    return TickMark(Tick(instant, instant), ends, parse_instant(since.decode()) if since else None)


class Ticks:
    """The ticks topic's buffered part. What is taken is tentative until `keep`."""

    CAPACITY = 500

    def __init__(self, topic: str, position: int) -> None:
        """Begin at `position`."""
        self.topic = topic
        self._queue = Queue(topic, position)
        self._marks: dict[int, TickMark] = {}

    @property
    def position(self) -> int:
        """The next offset after what was taken."""
        return self._queue.position

    def feed(self, fetch: Fetch) -> int | None:
        """Buffer a fetch; where it leaves a gap, drop it and return the position to read from instead."""
        if not self._queue.feed(fetch):
            return self._queue.read
        for record in fetch.records:
            self._marks[record.offset] = read_tick(record)
        return None

    def wants(self) -> bool:
        """Say whether the topic should be fetched from."""
        return self._queue.pending < self.CAPACITY

    def next(self) -> TickMark | None:
        """Return the next tick of a played history: none is passed over."""
        return self._marks[self._queue.head.offset] if self._queue.pending else None

    def take(self) -> None:
        """Take the next tick."""
        self._queue.take(1, 0)

    def take_newest(self, inputs: Inputs, now: Instant, cursor: Instant | None) -> Tick | None:
        """Take the newest tick whose `ends` the inputs have reached, and with it those before: it covers them.

        Ticks not after `cursor` and those overtaken by time are passed over.
        """
        newest: Tick | None = None
        seen = count = 0
        for seen, record in enumerate(self._queue.upcoming(), start=1):
            tick, ends, _ = self._marks[record.offset]
            if tick.instant < now - OVERTAKEN or (cursor is not None and tick.instant <= cursor):
                if count == seen - 1:
                    count = seen
            elif inputs.reached(ends):
                newest, count = tick, seen
                cursor = tick.instant
        self._queue.take(count, 0)
        return newest

    def keep(self) -> None:
        """Forget what was taken: it is committed."""
        self._queue.keep()
        self._marks = {offset: mark for offset, mark in self._marks.items() if offset >= self._queue.position}

    def undo(self) -> None:
        """Put back what was taken since `keep`."""
        self._queue.undo()
