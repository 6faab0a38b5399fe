"""A partition's durable surroundings in memory, and lanes that come and go over them."""

import asyncio
import copy
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

from app.contract.instants import SECOND
from app.engine.batch import Bounds
from app.engine.handler import Handler
from app.engine.inputs import Fetch, Inputs
from app.engine.lane import Lane
from app.engine.memory import MemoryJournal, MemoryOutputs, MemoryStore
from app.engine.pace import CatchUp
from app.engine.ports import Ports
from app.engine.records import COMMIT_KEY, Commit, Output, PlainRecord, Record, decode_commit
from app.engine.ticks import Ticks
from tests.seams import SeamedLane

START = 1_780_000_000 * SECOND
FACTS = ("a", "b")
TICKS = "ticks"


class Crash(BaseException):
    """The process was killed here."""


class FencedError(Exception):
    """A later writer has this journal."""


class ExpelledError(Exception):
    """The group has given the partition to another worker."""


class Failpoints:
    """Does something at one of the points of tests/failpoints.py: kills, unless told otherwise."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.name: str | None = None
        """The point; None: any."""
        self.at: int | None = None
        """How often it was come by; None: never strikes."""
        self.then: Callable[[str], None] = self.crash
        self.dead = False

    def crash(self, name: str) -> NoReturn:
        """Die: whatever else this process is about to do, it does not."""
        self.dead = True
        raise Crash(name)

    def live(self) -> None:
        if self.dead:
            raise Crash

    def step(self, name: str) -> None:
        self.live()
        self.steps.append(name)
        count = len(self.steps) if self.name is None else self.steps.count(name)
        if self.name in {None, name} and count == self.at:
            self.then(name)


class FencingJournal(MemoryJournal):
    """A broker's journal: it gives identities, and takes nothing of who is older than the newest that has written."""

    def __init__(self, capacity: int | None = None) -> None:
        super().__init__(capacity)
        self.owner: object = None
        """Whom the group has given the partition to."""
        self.writer = 0
        self._given = 0

    def identity(self) -> int:
        self._given += 1
        return self._given

    def refuses(self, identity: int) -> bool:
        return identity < self.writer


class Writer:
    """One writer of a journal; it may be struck at each thing that it says to it."""

    def __init__(self, journal: FencingJournal, points: Failpoints) -> None:
        self._journal, self.points = journal, points
        journal.owner = self
        self.fence_now()

    async def append(self, changes: Mapping[bytes, bytes | None], commit: bytes) -> int:
        self.points.step("append-sent")
        self._refuse_others()
        offset = await self._journal.append(changes, commit)
        self.appended(changes)
        await asyncio.sleep(0)
        return offset

    def appended(self, changes: Mapping[bytes, bytes | None]) -> None:
        self.points.step("append-done")

    async def fence(self) -> int:
        return self.fence_now()

    def fence_now(self) -> int:
        """Fence as JournalWriter does: with the second of two identities; the first is to be refused from then on."""
        first = self._identity_of_ours()
        self.points.step("open-first-identity")
        self._identity = self._identity_of_ours()
        self.points.step("open-second-identity")
        self.points.step("open-fence-sent")
        self._refuse_others()
        self._journal.writer = self._identity
        self._journal.records.append((b"~fence", b""))
        offset = len(self._journal.records) - 1
        self.points.step("open-fence-appended")
        self.points.step("open-fence-known")
        assert self._journal.refuses(first)
        self.points.step("open-probe-refused")
        return offset

    def _identity_of_ours(self) -> int:
        self._confirm()
        return self._journal.identity()

    def _confirm(self) -> None:
        if self._journal.owner is not self:
            raise ExpelledError

    def _refuse_others(self) -> None:
        if self._journal.refuses(self._identity):
            raise FencedError


def restore(store: MemoryStore, journal: FencingJournal, points: Failpoints) -> None:
    """Bring a store to where the journal is."""
    points.step("open-restore-begun")
    begin, end = store.offset + 1, len(journal.records)
    for offset in range(begin, end):
        store.write(dict([journal.records[offset]]), offset)
        if offset == (begin + end) // 2:
            points.step("open-restore-amid")
    points.step("open-restored")


class FailingOutputs:
    """An output log that may be struck amid sending."""

    def __init__(self, outputs: MemoryOutputs, points: Failpoints) -> None:
        self._outputs, self._points = outputs, points

    async def send(self, outputs: Sequence[Output], partition: int, batch: str) -> None:
        self._points.live()
        half = len(outputs) // 2
        await self._outputs.send(outputs[:half], partition, batch)
        self._points.step("outputs-half")
        del self._outputs.sent[len(self._outputs.sent) - half :]
        await self._outputs.send(outputs, partition, batch)
        self._points.step("outputs-sent")


class World:
    """Input logs, journal, store and outputs of one partition; they outlive lanes."""

    def __init__(self, handler: Callable[[], Handler], *, capacity: int | None = None) -> None:
        self.handler = handler
        self.points = Failpoints()
        self.logs: dict[str, list[Record]] = {topic: [] for topic in (*FACTS, TICKS)}
        self.journal = FencingJournal(capacity)
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

    def lane(self, *, external: bool = False, bounds: Bounds | None = None, catch_up: CatchUp | None = None) -> Lane:
        """Fence the journal and restore the store from it, as a new owner does, and open a lane over it."""
        self.points.dead = False
        writer = Writer(self.journal, self.points)
        restore(self.store, self.journal, self.points)
        stored = self.store.get(COMMIT_KEY)
        first = Commit(incarnation="i", positions=dict.fromkeys((*FACTS, TICKS), 0), live_since=None)
        commit = decode_commit(stored) if stored else first
        ports = Ports(
            store=self.store,
            journal=writer,
            outputs=FailingOutputs(self.outputs, self.points),
            clock=lambda: self.now,
            monotonic=self.monotonic,
            pace=None if catch_up is None else catch_up.pace(self.monotonic),
            may_decide=lambda: self.gate,
        )
        positions = dict(commit.positions)
        ticks = Ticks(TICKS, positions.pop(TICKS))
        inputs = Inputs(positions)
        self.points.step("open-positions-known")
        lane = SeamedLane(
            0, self.handler(), ports, commit=commit, inputs=inputs, ticks=ticks, external=external, bounds=bounds
        )
        lane.reached = self.points.step
        return lane

    def successor(self) -> "World":
        """Return the same partition on another machine: topics and journal are shared, the rows are not."""
        other = copy.copy(self)
        other.points = Failpoints()
        other.lose_store()
        return other

    def while_stopped(self, work: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[str], None]:
        """Return what has this process stand still at a point until `work`, another process, is done."""

        def stand_still(_name: str) -> None:
            with ThreadPoolExecutor(1) as other:
                other.submit(lambda: asyncio.run(work())).result()

        return stand_still

    def monotonic(self) -> float:
        return self.now / SECOND

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
            self.points.step("revoke-lane-ended")
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

    def sent(self, topic: str = "out") -> list[str]:
        return [sent.output.value.decode() for sent in self.outputs.sent if sent.output.topic == topic]

    def facts_in_order(self) -> list[str]:
        return [json.loads(value)["fact"] for value in self.sent()]

    def expected_counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for topic in FACTS:
            for record in self.logs[topic]:
                key = (record.key or b"none").decode()
                counts[key] = counts.get(key, 0) + 1
        return counts

    def _new_store(self) -> MemoryStore:
        self.read = {}
        return MemoryStore(self.handler().index)


async def settle() -> None:
    """Let everything that can happen now happen."""
    for _ in range(300):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object]) -> None:
    """Let things happen until `condition` holds."""
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError(condition)
