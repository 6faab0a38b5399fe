"""A partition's durable surroundings in memory, and lanes that come and go over them."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.contract.instants import SECOND
from app.engine.batch import Bounds
from app.engine.handler import Handler
from app.engine.inputs import Fetch, Inputs
from app.engine.lane import Lane, Ports
from app.engine.memory import MemoryJournal, MemoryOutputs, MemoryStore
from app.engine.records import COMMIT_KEY, Commit, Output, PlainRecord, Record, decode_commit
from app.engine.ticks import Ticks

START = 1_780_000_000 * SECOND
FACTS = ("a", "b")
TICKS = "ticks"


class Crash(BaseException):
    """The process was killed here."""


class Failpoints:
    """Kills at the n-th step of the commit path."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.at: int | None = None

    def step(self, name: str) -> None:
        self.steps.append(name)
        if self.at is not None and len(self.steps) == self.at:
            raise Crash(name)


class FailingJournal:
    """A journal that may be killed before or after an append."""

    def __init__(self, journal: MemoryJournal, points: Failpoints) -> None:
        self._journal, self._points = journal, points

    async def append(self, changes: Mapping[bytes, bytes | None], commit: bytes) -> int:
        self._points.step("before the append")
        offset = await self._journal.append(changes, commit)
        self._points.step("appended, not known")
        await asyncio.sleep(0)
        return offset

    async def fence(self) -> int:
        return await self._journal.fence()


class FailingOutputs:
    """An output log that may be killed amid sending."""

    def __init__(self, outputs: MemoryOutputs, points: Failpoints) -> None:
        self._outputs, self._points = outputs, points

    async def send(self, outputs: Sequence[Output], partition: int, batch: str) -> None:
        self._points.step("before the outputs")
        half = len(outputs) // 2
        await self._outputs.send(outputs[:half], partition, batch)
        self._points.step("half of the outputs")
        del self._outputs.sent[len(self._outputs.sent) - half :]
        await self._outputs.send(outputs, partition, batch)
        self._points.step("outputs sent, not known")


class FailingStore(MemoryStore):
    """A store that may be killed before or after a write."""

    points: Failpoints

    def write(self, changes: Any, offset: int, before: Any = None) -> None:
        self.points.step("before the store")
        super().write(changes, offset, before)
        self.points.step("stored")


class World:
    """Input logs, journal, store and outputs of one partition; they outlive lanes."""

    def __init__(self, handler: Callable[[], Handler], *, capacity: int | None = None) -> None:
        self.handler = handler
        self.points = Failpoints()
        self.logs: dict[str, list[Record]] = {topic: [] for topic in (*FACTS, TICKS)}
        self.journal = MemoryJournal(capacity)
        self.outputs = MemoryOutputs()
        self.store = self._new_store()
        self.now = START
        self.gate = True

    def fact(self, topic: str, key: str, value: bytes = b"", *, at: int | None = None, line: int | None = None) -> None:
        headers = (("whimbrel-line", b"%d" % line),) if line is not None else ()
        log = self.logs[topic]
        time = self.now // 1_000 if at is None else at
        log.append(PlainRecord(topic, 0, len(log), time, key.encode(), value, headers))

    def tick(self, *, at: int | None = None, ends: Mapping[str, int] | None = None, now: str | None = None) -> None:
        ends = ends or {topic: len(self.logs[topic]) for topic in FACTS}
        value = json.dumps({"partition": 0, "ends": dict(ends)}).encode()
        headers = (("whimbrel-now", now.encode()),) if now else ()
        log = self.logs[TICKS]
        time = self.now // 1_000 if at is None else at
        log.append(PlainRecord(TICKS, 0, len(log), time, b"0", value, headers))

    def lose_store(self) -> None:
        self.store = self._new_store()

    def lane(self, *, external: bool = False, bounds: Bounds | None = None) -> Lane:
        """Fence the journal and restore the store from it, as a new owner does, and open a lane over it."""
        self.journal.records.append((b"~fence", b""))
        for offset in range(self.store.offset + 1, len(self.journal.records)):
            MemoryStore.write(self.store, dict([self.journal.records[offset]]), offset)
        stored = self.store.get(COMMIT_KEY)
        first = Commit(incarnation="i", positions=dict.fromkeys((*FACTS, TICKS), 0), live_since=None)
        commit = decode_commit(stored) if stored else first
        ports = Ports(
            store=self.store,
            journal=FailingJournal(self.journal, self.points),
            outputs=FailingOutputs(self.outputs, self.points),
            clock=lambda: self.now,
            monotonic=lambda: self.now / SECOND,
            may_decide=lambda: self.gate,
        )
        positions = dict(commit.positions)
        ticks = Ticks(TICKS, positions.pop(TICKS))
        inputs = Inputs(positions)
        return Lane(
            0, self.handler(), ports, commit=commit, inputs=inputs, ticks=ticks, external=external, bounds=bounds
        )

    def fetch(self, lane: Lane, topic: str, size: int = 7) -> bool:
        """Hand over what one fetch would; say whether it brought anything."""
        position = self.read.setdefault((id(lane), topic), lane.commit.positions[topic])
        records = self.logs[topic][position : position + size]
        end = position + len(records)
        gap = lane.feed(Fetch(topic, position, end, records, len(self.logs[topic]), self.now / SECOND))
        self.read[id(lane), topic] = end if gap is None else gap
        return bool(records)

    read: dict[tuple[int, str], int]

    async def play(self, lane: Lane, *, size: int = 7) -> None:
        """Run the lane over everything there is, then stop it."""
        running = asyncio.create_task(lane.run())
        try:
            while not running.done() and not self._done(lane):
                for topic in (*FACTS, TICKS):
                    if lane.wants(topic):
                        self.fetch(lane, topic, size)
                await asyncio.sleep(0)
            if not running.done():
                await lane.stop()
            await running
        finally:
            running.cancel()

    def _done(self, lane: Lane) -> bool:
        positions = lane.commit.positions
        cursor = lane.commit.cursor
        return all(positions[topic] >= len(self.logs[topic]) for topic in (*FACTS, TICKS)) and not (
            cursor and cursor.after is not None
        )

    def counts(self) -> dict[str, int]:
        return {key.decode(): int(value) for key, value in self.store.scan(b"")}

    def expected_counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for topic in FACTS:
            for record in self.logs[topic]:
                key = (record.key or b"none").decode()
                counts[key] = counts.get(key, 0) + 1
        return counts

    def _new_store(self) -> FailingStore:
        store = FailingStore(self.handler().index)
        store.points = self.points
        self.read = {}
        return store
