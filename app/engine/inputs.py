"""The input topics of one partition: buffered as fetched, merged by time (live) or by line (a played history)."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from app.engine.records import LINE_HEADER, Record, header

STABLE_FOR = 0.5
"""Seconds for which an answer about a topic's end is believed (ARCHITECTURE.md, section 4)."""


class Fetch(NamedTuple):
    """What one fetch brought of one topic.

    `start` and `end` are the consumer's positions before and after it: markers and aborted records may lie between
    without a record to show for them. `stable` is the topic's last stable offset, None where unknown, as answered at
    `at` (monotonic seconds).
    """

    topic: str
    start: int
    end: int
    records: Sequence[Record]
    stable: int | None
    at: float


class Queue:
    """One topic's fetched records. `take` is tentative until `keep`."""

    def __init__(self, topic: str, position: int) -> None:
        """Begin at `position`."""
        self.topic = topic
        self.read = position
        """The position after everything buffered."""
        self.bytes = 0
        """About what is buffered: keys and values."""
        self._position = position
        self._kept = position
        self._records: deque[Record] = deque()
        self._taken = 0
        self._floor = 0
        self._floor_kept = 0
        self._stable = -1
        self._asked = float("-inf")

    @property
    def position(self) -> int:
        """The next offset after what was taken."""
        return self._position

    @property
    def pending(self) -> int:
        """Records buffered and not taken."""
        return len(self._records) - self._taken

    @property
    def head(self) -> Record:
        """The next record to be taken."""
        return self._records[self._taken]

    def upcoming(self) -> Iterator[Record]:
        """Return what is buffered and not taken."""
        return islice(self._records, self._taken, None)

    def feed(self, fetch: Fetch) -> bool:
        """Buffer a fetch; False where it does not begin where the last one ended."""
        if fetch.start != self.read:
            return False
        self._records.extend(fetch.records)
        self.bytes += sum(_size(record) for record in fetch.records)
        self.read = fetch.end
        if fetch.stable is not None:
            self._stable, self._asked = fetch.stable, fetch.at
        self._settle()
        return True

    def exhausted(self, at: float) -> bool:
        """Say whether the topic has no further record, by an answer that is fresh enough."""
        return not self.pending and self.read >= self._stable >= 0 and at - self._asked <= STABLE_FOR

    def reached(self, end: int) -> bool:
        """Say whether everything below `end` was taken."""
        return self.head.offset >= end if self.pending else self.read >= end

    def time(self, now_ms: int) -> int:
        """Return the head's time: not after `now_ms`, not before its predecessor's."""
        return max(self._floor, min(self.head.timestamp, now_ms))

    def line(self) -> int:
        """Return the head's place in the history, or its predecessor's where it does not say."""
        text = header(self.head, LINE_HEADER)
        return int(text) if text else self._floor

    def pop(self, floor: int) -> Record:
        """Take the head; the next one's time or line is not below `floor`."""
        record = self.head
        self._taken += 1
        self._floor = floor
        self._position = record.offset + 1
        self._settle()
        return record

    def take(self, limit: int, now_ms: int) -> list[Record]:
        """Take up to `limit` records at once."""
        records = list(islice(self._records, self._taken, self._taken + limit))
        if records:
            self._taken += len(records)
            self._floor = max(self._floor, min(max(record.timestamp for record in records), now_ms))
            self._position = records[-1].offset + 1
            self._settle()
        return records

    def keep(self) -> None:
        """Forget what was taken: it is committed."""
        if self.pending:
            self.bytes = self.bytes * self.pending // len(self._records)
            for _ in range(self._taken):
                self._records.popleft()
        else:
            self.bytes = 0
            self._records.clear()
        self._taken = 0
        self._kept, self._floor_kept = self._position, self._floor

    def undo(self) -> None:
        """Put back what was taken since `keep`."""
        self._taken = 0
        self._position, self._floor = self._kept, self._floor_kept
        self._settle()

    def _settle(self) -> None:
        if not self.pending:
            self._position = self.read


class Inputs:
    """The merged input of one partition."""

    def __init__(self, positions: Mapping[str, int], capacity: int = 4_000, capacity_bytes: int = 4 << 20) -> None:
        """Begin at `positions`, one for each input topic, in order of precedence at equal times.

        A topic asks for no more once `capacity` records or `capacity_bytes` of it are buffered.
        """
        self._queues = {topic: Queue(topic, position) for topic, position in positions.items()}
        self._capacity = capacity
        self._capacity_bytes = capacity_bytes

    @property
    def positions(self) -> dict[str, int]:
        """The next offset of each topic after what was taken."""
        return {topic: queue.position for topic, queue in self._queues.items()}

    @property
    def pending(self) -> bool:
        """Say whether any record is buffered and not taken."""
        return any(queue.pending for queue in self._queues.values())

    def feed(self, fetch: Fetch) -> int | None:
        """Buffer a fetch; where it leaves a gap, drop it and return the position to read from instead."""
        queue = self._queues[fetch.topic]
        return None if queue.feed(fetch) else queue.read

    def wants(self, topic: str) -> bool:
        """Say whether the topic should be fetched from."""
        queue = self._queues[topic]
        return queue.pending < self._capacity and queue.bytes < self._capacity_bytes

    def reached(self, ends: Mapping[str, int]) -> bool:
        """Say whether everything below `ends` was taken; topics it does not name do not count."""
        return all(queue.reached(ends[queue.topic]) for queue in self._queues.values() if queue.topic in ends)

    def take_by_time(self, limit: int, now_ms: int, at: float) -> list[Record]:
        """Take up to `limit` records, the lowest time first, as far as every topic's next record is known."""
        heads = [queue for queue in self._queues.values() if queue.pending]
        if any(not queue.pending and not queue.exhausted(at) for queue in self._queues.values()):
            return []
        if len(heads) == 1:
            return heads[0].take(limit, now_ms)
        merged: list[Record] = []
        while heads and len(merged) < limit:
            queue = min(heads, key=lambda each: each.time(now_ms))
            merged.append(queue.pop(queue.time(now_ms)))
            if queue.pending:
                continue
            if not queue.exhausted(at):
                break
            heads.remove(queue)
        return merged

    def take_by_line(self, limit: int, ends: Mapping[str, int]) -> list[Record]:
        """Take up to `limit` records below `ends`, the lowest line first, as far as every topic's next is known."""
        queues = [queue for queue in self._queues.values() if not queue.reached(ends.get(queue.topic, 0))]
        merged: list[Record] = []
        while queues and len(merged) < limit and all(queue.pending for queue in queues):
            queue = min(queues, key=Queue.line)
            merged.append(queue.pop(queue.line()))
            if queue.reached(ends[queue.topic]):
                queues.remove(queue)
        return merged

    def take_one(self, topic: str) -> Record:
        """Take the topic's next record, whatever its time."""
        (record,) = self._queues[topic].take(1, 0)
        return record

    def keep(self) -> None:
        """Forget what was taken: it is committed."""
        for queue in self._queues.values():
            queue.keep()

    def undo(self) -> None:
        """Put back what was taken since `keep`."""
        for queue in self._queues.values():
            queue.undo()


def _size(record: Record) -> int:
    return len(record.value or b"") + len(record.key or b"")
