"""One partition of the triggers app in live mode, over stores in memory: its topics, and lanes that come and go."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import msgspec

from app.contract.instants import Instant
from app.domain.rules import Rulebook
from app.domain.switches import Trip
from app.engine.batch import Bounds
from app.engine.dead_letters import DeadLetter
from app.engine.decider import Decider
from app.engine.guard import Allowance, Guarding
from app.engine.inputs import Fetch, Inputs
from app.engine.lane import Lane
from app.engine.memory import MemoryJournal, MemoryOutputs, MemoryStore
from app.engine.outbox import Notification, encode
from app.engine.pace import Pace
from app.engine.ports import Ports
from app.engine.records import COMMIT_KEY, Commit, PlainRecord, decode_commit
from app.engine.ticks import Ticks
from app.streams.names import Names
from tests.builders import Event, at, written
from tests.engine.world import Failpoints

NAMES = Names()
INPUTS = (*NAMES.facts, NAMES.returns, NAMES.replays)


class Office:
    """Facts and time come in; `run` has a lane work through them. `told` are the trips that the others are told of."""

    def __init__(
        self,
        rulebook: Rulebook,
        *,
        guard: Allowance | None = None,
        bounds: Bounds | None = None,
        capacity: int | None = None,
        dead_letters_per_hour: int | None = None,
    ) -> None:
        """Guarded where an allowance is given; the journal takes batches of `capacity` bytes.

        `pace` may be set, by a clock of the test's own.
        """
        self.rulebook = rulebook
        self.pace: Pace | None = None
        self.now: Instant = at("2026-06-01 00:00")
        self.outputs = MemoryOutputs()
        self.points = Failpoints()
        self.told: list[Trip] = []
        self._guarding = None if guard is None else Guarding(guard, self._tell)
        self._bounds = bounds
        self._dead_letters_per_hour = dead_letters_per_hour
        self._handler = self._decider()
        self.store = MemoryStore(self._handler.index)
        self._journal = MemoryJournal(capacity)
        self._known: dict[str, set[str]] = {}
        self.logs: dict[str, list[PlainRecord]] = {topic: [] for topic in (*INPUTS, NAMES.ticks)}

    def tell(self, *events: Event) -> None:
        """Publish facts, now."""
        for event in events:
            self._append(NAMES.billing, event["subject"].encode(), written(event))

    def give_back(self, *notifications: Notification) -> None:
        """Return notifications as the sender does, now."""
        for each in notifications:
            self.put_back(each.account_id.encode(), encode(each))

    def replay(self, *events: Event) -> None:
        """Put copies of dead-lettered facts behind the others, now."""
        for event in events:
            self._append(NAMES.replays, event["subject"].encode(), written(event))

    def put_back(self, key: bytes | None, value: bytes | None) -> None:
        self._append(NAMES.returns, key, value)

    def run_until(self, instant: Instant) -> None:
        """Let the time come, its tick included."""
        self.come_to(instant)
        self.run()

    def come_to(self, instant: Instant) -> None:
        """Let the time come, and its tick wait to be processed."""
        self.now = instant
        ends = {topic: len(self.logs[topic]) for topic in NAMES.facts}
        self._append(NAMES.ticks, b"0", json.dumps({"partition": 0, "ends": ends}).encode())

    def run(self) -> None:
        """Run a lane over everything there is."""
        asyncio.run(self._run(None))

    def run_and_kill(self, when: Callable[[Lane], bool]) -> None:
        """Run a lane until `when` is true of it, or there is nothing left; the next one has a handler of its own."""
        try:
            asyncio.run(self._run(when))
        finally:
            self._handler = self._decider()
            self.store.index = self._handler.index

    def outbox(self) -> list[Notification]:
        """What has come to the outbox since this was asked last; what a new lane sends again is known by its id."""
        return [msgspec.json.decode(value, type=Notification) for value in self._new(NAMES.outbox)]

    def decisions(self) -> list[dict[str, Any]]:
        """What has been decided since this was asked last, repeats dropped."""
        return [json.loads(value) for value in self._new(NAMES.decisions)]

    def dead_letters(self) -> list[DeadLetter]:
        came = {sent.id: sent.output.value for sent in self.outputs.sent if sent.output.topic == NAMES.dead_letters}
        return [msgspec.json.decode(value, type=DeadLetter) for value in came.values()]

    def rows(self) -> list[tuple[bytes, bytes]]:
        return self.store.scan(b"account/")

    def _tell(self, trip: Trip) -> None:
        self.points.step("trip-told")
        self.told.append(trip)

    def _decider(self) -> Decider:
        return Decider(NAMES, lambda: self.rulebook, self._guarding, self._dead_letters_per_hour)

    def _new(self, topic: str) -> list[bytes]:
        known = self._known.setdefault(topic, set())
        came = {sent.id: sent.output.value for sent in self.outputs.sent if sent.output.topic == topic}
        new = [value for id_, value in came.items() if id_ not in known]
        known.update(came)
        return new

    def _append(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        log = self.logs[topic]
        log.append(PlainRecord(topic, 0, len(log), self.now // 1_000, key, value))

    async def _run(self, kill: Callable[[Lane], bool] | None) -> None:
        self.points.dead = False
        stored = self.store.get(COMMIT_KEY)
        begin = Commit(incarnation="i", positions=dict.fromkeys(self.logs, 0), live_since=at("2026-06-01 00:00"))
        commit = decode_commit(stored) if stored else begin
        ports = Ports(
            store=self.store,
            journal=self._journal,
            outputs=self.outputs,
            clock=lambda: self.now,
            monotonic=lambda: 0.0,
            pace=self.pace,
        )
        lane = Lane(
            0,
            self._handler,
            ports,
            commit=commit,
            inputs=Inputs({topic: commit.positions[topic] for topic in INPUTS}),
            ticks=Ticks(NAMES.ticks, commit.positions[NAMES.ticks]),
            bounds=self._bounds,
        )
        for topic, log in self.logs.items():
            position = commit.positions[topic]
            lane.feed(Fetch(topic, position, len(log), log[position:], len(log), 0.0))
        running = asyncio.create_task(lane.run())
        killed = False
        async with asyncio.timeout(10):
            while not (running.done() or killed or self._through(lane)):
                await asyncio.sleep(0)
                killed = kill is not None and kill(lane)
        if killed:
            running.cancel()
        elif not running.done():
            await lane.stop()
        await asyncio.wait([running])
        if not killed:
            running.result()

    def _through(self, lane: Lane) -> bool:
        cursor = lane.commit.cursor
        inside = cursor is not None and cursor.after is not None
        return not inside and all(lane.positions[topic] >= len(log) for topic, log in self.logs.items())
