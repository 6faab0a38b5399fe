"""A sender's partition in memory before a real SMTP server; it outlives the processes that work on it."""

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import msgspec

from app.contract.instants import MINUTE, Instant, parse_instant
from app.delivery.pump import Ports
from app.delivery.relay import Relay
from app.delivery.render import Renderer
from app.delivery.sender import Sender
from app.dev.mailbox import Mailbox, Step
from app.dev.previews import a_notification
from app.engine import ports as engine
from app.engine.dead_letters import DeadLetter
from app.engine.handler import LaneAccess
from app.engine.inputs import Fetch, Inputs
from app.engine.lane import Lane
from app.engine.memory import MemoryOutputs, MemoryStore
from app.engine.outbox import Delivery, Notification, decode_notification, encode
from app.engine.records import COMMIT_KEY, Commit, PlainRecord, decode_commit
from app.settings import Settings
from app.triggers import REGISTRY
from tests.engine.world import Crash, FailingOutputs, Failpoints, FencingJournal, Writer, restore
from tests.seams import SeamedLane, SeamedPump, SeamedRelay, writes_attempting, writes_done

OUTBOX, DELIVERIES, RETURNS, DEAD_LETTERS = "outbox", "deliveries", "returns", "dead-letters"
NOW = parse_instant("2026-06-12T14:05:00Z")


class SenderWriter(Writer):
    """Its appends of `attempting` and of results are points of their own."""

    def appended(self, changes: Mapping[bytes, bytes | None]) -> None:
        super().appended(changes)
        if writes_attempting(changes):
            self.points.step("attempting-appended")
        if writes_done(changes):
            self.points.step("result-appended")


class Once:
    """Answers so at the first time a dialogue comes to the step, with this address or any."""

    def __init__(self, step: Step, answer: str, address: str | None = None) -> None:
        self.step, self.answer, self.address = step, answer, address
        self.done = asyncio.Event()

    def __call__(self, step: Step, address: str) -> str | None:
        if step != self.step or self.address not in {None, address} or self.done.is_set():
            return None
        self.done.set()
        return self.answer


class Postroom:
    """Outbox, journal and outputs of one partition."""

    def __init__(self, mailbox: Mailbox, **settings: Any) -> None:
        self.mailbox = mailbox
        self.settings: dict[str, Any] = {"smtp_timeout": 2.0, "smtp_concurrency": 4, **settings}
        self.delivery = "smtp"
        self.dead_letters_per_hour: int | None = None
        self.now: Instant = NOW
        self.outbox: list[PlainRecord] = []
        self.points = Failpoints()
        self.journal = FencingJournal()
        self.outputs = MemoryOutputs()
        self.store = MemoryStore(self._sender(Relay(Settings())).index)
        self.sender: Sender | None = None
        self.changed = asyncio.Event()

    def put(self, *notifications: Notification, ids: bool = True) -> None:
        """Append to the outbox as the triggers app does: each with an output id of its own."""
        for notification in notifications:
            self.put_value(encode(notification), f"i/0/{len(self.outbox)}/0" if ids else None)

    def put_value(self, value: bytes | None, output_id: str | None = None) -> None:
        headers = (("whimbrel-id", output_id.encode()),) if output_id is not None else ()
        self.outbox.append(PlainRecord(OUTBOX, 0, len(self.outbox), self.now // 1_000, b"a1042", value, headers))

    @contextlib.asynccontextmanager
    async def process(self) -> AsyncIterator[asyncio.Task[None]]:
        """Run a worker on the partition; at the end it stops in good order. Yields the lane's task."""
        self.points.dead = False
        relay = SeamedRelay(Settings(smtp_port=self.mailbox.port, **self.settings))
        relay.reached = self.points.step
        sender = self.sender = self._sender(relay)
        lane = self._lane(sender)
        position = lane.positions[OUTBOX]
        end = len(self.outbox)
        lane.feed(Fetch(OUTBOX, position, end, self.outbox[position:], end, 0.0))
        running = asyncio.create_task(lane.run())
        running.add_done_callback(lambda _: self.changed.set())
        try:
            yield running
            if not running.done():
                await lane.stop()
                await running
            self.points.step("revoke-lane-ended")
        finally:
            running.cancel()
            await self.kill()
            await relay.close()

    async def kill(self) -> None:
        """End the sender's tasks as kill -9 does: whatever they were about to say is lost.

        Until Python 3.12 `wait_for` loses a cancellation that comes together with what it waits for.
        """
        pump = self.sender._pump if self.sender else None
        tasks = {task for task in (*pump._tasks.values(), pump._loop) if task} if pump else set()
        while tasks:
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=0.1)

    def successor(self) -> "Postroom":
        """Return the same partition on another machine: topics, journal and relay are shared, the rows are not."""
        other = copy.copy(self)
        other.points, other.sender, other.changed = Failpoints(), None, asyncio.Event()
        other.store = MemoryStore(self.store.index)
        return other

    async def until(self, condition: Callable[[], object], seconds: float = 15.0) -> None:
        """Return once the condition holds; looked at whenever something was committed."""
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def run_until(self, condition: Callable[[], bool]) -> bool:
        """Run a worker until the condition holds; say whether it was killed before."""
        try:
            async with self.process() as running:
                await self.until(lambda: running.done() or condition())
                if running.done():
                    await running
        except Crash:
            return True
        return False

    async def deliver(self, *outcomes: str) -> None:
        """Run a worker until the deliveries have had these outcomes, in any order."""
        async with self.process():
            await self.until(lambda: sorted(self.outcomes()) == sorted(outcomes))

    def deliveries(self) -> list[Delivery]:
        """What the topic holds for readers who know repeats by their ids."""
        sent = {each.id: each.output.value for each in self.outputs.sent if each.output.topic == DELIVERIES}
        return [msgspec.json.decode(value, type=Delivery) for value in sent.values()]

    def outcomes(self) -> list[str]:
        return [each.outcome for each in self.deliveries()]

    def unread(self) -> int:
        """How many records of the outbox no committed batch covers."""
        stored = self.store.get(COMMIT_KEY)
        return len(self.outbox) - (decode_commit(stored).positions[OUTBOX] if stored else 0)

    def returned(self) -> list[Notification]:
        """What was given back; what a new owner has sent again is known by its id."""
        sent = {each.id: each.output for each in self.outputs.sent if each.output.topic == RETURNS}
        assert all(output.key == b"a1042" for output in sent.values())
        return [decode_notification(output.value) for output in sent.values()]

    def asked(self) -> list[Notification]:
        """What the triggers app reads of it: repeats, too."""
        sent = [each.output.value for each in self.outputs.sent if each.output.topic == RETURNS]
        return [decode_notification(value) for value in sent]

    def dead_letters(self) -> list[DeadLetter]:
        sent = [each.output.value for each in self.outputs.sent if each.output.topic == DEAD_LETTERS]
        return [msgspec.json.decode(value, type=DeadLetter) for value in sent]

    def _sender(self, relay: Relay) -> Sender:
        return _WatchedSender(
            Ports(
                relay=relay,
                renderer=Renderer(),
                variables={trigger.id: trigger.variables for trigger in REGISTRY.values()},
                delivery=getattr(self, "delivery", "smtp"),
                deliveries=DELIVERIES,
                returns=RETURNS,
                dead_letters=DEAD_LETTERS,
                dead_letters_per_hour=self.dead_letters_per_hour,
                freshness=15 * MINUTE,
                first_retry=MINUTE,
                now=lambda: self.now,
            ),
            self,
        )

    def _lane(self, sender: Sender) -> Lane:
        writer = SenderWriter(self.journal, self.points)
        restore(self.store, self.journal, self.points)
        stored = self.store.get(COMMIT_KEY)
        commit = decode_commit(stored) if stored else Commit(incarnation="s", positions={OUTBOX: 0})
        ports = engine.Ports(
            store=self.store,
            journal=writer,
            outputs=FailingOutputs(self.outputs, self.points),
            clock=lambda: self.now,
            monotonic=lambda: 0.0,
        )
        self.points.step("open-positions-known")
        lane = SeamedLane(0, sender, ports, commit=commit, inputs=Inputs(commit.positions))
        lane.reached = self.points.step
        return lane


class _WatchedSender(Sender):
    """Tells the postroom when the topics may have changed."""

    def __init__(self, ports: Ports, postroom: Postroom) -> None:
        super().__init__(ports)
        self._postroom = postroom

    async def started(self, lane: LaneAccess) -> None:
        self._pump = pump = SeamedPump(lane, self._ports)
        pump.reached = self._postroom.points.step
        pump.begin()
        self._postroom.changed.set()

    def committed(self) -> None:
        super().committed()
        self._postroom.changed.set()


def some_notifications(count: int) -> list[Notification]:
    return [a_notification(number=number, address=f"c{number}@mail.example") for number in range(count)]
