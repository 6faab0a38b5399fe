"""Follows a run from the topics alone: what is still to be done, and how long nothing was done about it.

`Watch(bootstrap, names)` reads journals and outputs as they grow: a commit record says how far its lane has come and
what it was to send, a row of `attempts` that is not done is a mail under way. `idle` says that everything published
was worked off, `stalls` the longest time for which a lane had something to do and committed nothing, by journal and
partition, in seconds; a broker that is away counts.
"""

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import chain

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from app import clock
from app.contract.instants import Instant
from app.engine.records import COMMIT_KEY, ID_HEADER, Commit, Record, decode_commit, header
from app.streams import client
from app.streams.names import Names
from tests.faults.evidence import ATTEMPT, read_attempt

LOOK_MS = 200
ANSWER_SECONDS = 3.0


@dataclass
class Lane:
    """One app's lane of one partition, as its journal tells."""

    commit: Commit | None = None
    commits: int = 0
    working: dict[bytes, Instant] = field(default_factory=dict)
    """Rows of `attempts` that are not done, and when each is due: one that is to be tried later keeps no lane busy."""
    progressed: float = 0.0
    """When it last committed, or last had nothing to do."""
    stall: float = 0.0

    def working_on(self, key: bytes, value: bytes | None) -> None:
        """Note a row of `attempts`."""
        attempt = None if value is None else read_attempt(value)
        if attempt is None or attempt.state == "done":
            self.working.pop(key, None)
        else:
            self.working[key] = attempt.due


class Watch:
    """See the module."""

    def __init__(self, bootstrap: str, names: Names) -> None:
        self._bootstrap = bootstrap
        self._names = names
        self._inputs = {
            names.book_journal: (*names.facts, names.ticks, names.returns),
            names.attempts_journal: (names.outbox,),
        }
        self._outputs = frozenset({names.decisions, names.outbox, names.deliveries, names.dead_letters, names.returns})
        self._lanes: dict[tuple[str, int], Lane] = defaultdict(lambda: Lane(progressed=time.monotonic()))
        self.decided: set[bytes] = set()
        """The ids of all decisions that were written."""
        self._sent: dict[tuple[str, int, str], tuple[int, int]] = {}
        self._ends: dict[TopicPartition, int] = {}
        self._behind = True

    @property
    def stalls(self) -> dict[tuple[str, int], float]:
        """Return the longest stall of each lane, by journal and partition."""
        return {place: lane.stall for place, lane in self._lanes.items()}

    @property
    def longest_stall(self) -> float:
        """Return the longest of all."""
        return max(self.stalls.values(), default=0.0)

    def committed(self, journal: str) -> dict[int, int]:
        """Return how many batches that journal's lanes have committed, by partition."""
        return {partition: lane.commits for (topic, partition), lane in self._lanes.items() if topic == journal}

    def positions(self, journal: str) -> dict[int, dict[str, int]]:
        """Return the positions of that journal's lanes, by partition."""
        return {
            partition: lane.commit.positions
            for (topic, partition), lane in self._lanes.items()
            if topic == journal and lane.commit is not None
        }

    def undone(self) -> list[str]:
        """Return what is still to be done, a line each."""
        if self._behind:
            return ["the journals were not read to their ends"]
        lines = []
        for (topic, partition), lane in sorted(self._lanes.items()):
            positions = lane.commit.positions if lane.commit else {}
            for name in self._inputs[topic]:
                missing = self._ends.get(TopicPartition(name, partition), 0) - positions.get(name, 0)
                if missing > 0:
                    lines.append(f"{name}[{partition}]: {missing} records unread")
            if unsent := self._unsent(partition, lane.commit):
                lines.append(f"{topic}[{partition}]: {unsent} outputs of the last commit unsent")
            if lane.working:
                lines.append(f"{topic}[{partition}]: {len(lane.working)} mails under way")
        return lines

    async def idle(self, seconds: float) -> list[str]:
        """Wait until nothing is to be done; return what still is after `seconds`.

        Nothing is said of what was published during the wait: it was looked for once at the least, or it is undone.
        """
        deadline = time.monotonic() + seconds
        self._behind = True
        while (undone := self.undone()) and time.monotonic() < deadline:  # noqa: ASYNC110 - looked at by hand
            await asyncio.sleep(LOOK_MS / 1_000)
        return undone

    async def run(self) -> None:
        """Follow, on and on."""
        journals = await client.partitions_of(self._bootstrap, *self._inputs)
        inputs = await client.partitions_of(self._bootstrap, *chain(*self._inputs.values()))
        outputs = await client.partitions_of(self._bootstrap, *self._outputs)
        for each in journals:
            self._lanes[each.topic, each.partition].progressed = time.monotonic()
        async with client.opened_consumer(self._bootstrap) as consumer:
            consumer.assign(journals + outputs)
            for each in journals + outputs:
                consumer.seek(each, 0)
            while True:
                for records in (await consumer.getmany(timeout_ms=LOOK_MS)).values():
                    for record in records:
                        self._read(record)
                await self._ask(consumer, journals, inputs)
                self._measure()

    async def _ask(
        self, consumer: AIOKafkaConsumer, journals: list[TopicPartition], inputs: list[TopicPartition]
    ) -> None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                # The inputs first: what is done about them can only be further on in the journals.
                self._ends = await consumer.end_offsets(inputs)
                ends = await consumer.end_offsets(journals)
                self._behind = any([await consumer.position(each) < end for each, end in ends.items()])
        except (KafkaError, TimeoutError):
            self._behind = True

    def _read(self, record: Record) -> None:
        if record.topic in self._outputs:
            self._hear(record)
            return
        lane = self._lanes[record.topic, record.partition]
        key = record.key or b""
        if key == COMMIT_KEY and record.value is not None:
            lane.commit = decode_commit(record.value)
            lane.commits += 1
            lane.progressed = time.monotonic()
        elif key.startswith(ATTEMPT):
            lane.working_on(key, record.value)

    def _hear(self, record: Record) -> None:
        """Note the newest output of each lane on each topic."""
        output_id = header(record, ID_HEADER) or b""
        if record.topic == self._names.decisions:
            self.decided.add(output_id)
        incarnation, _, offset, number = output_id.decode().split("/")
        place = record.topic, record.partition, incarnation
        self._sent[place] = max(self._sent.get(place, (-1, -1)), (int(offset), int(number)))

    def _unsent(self, partition: int, commit: Commit | None) -> int:
        """Return how many outputs of a lane's last commit are in no topic yet: its next owner will send them."""
        if commit is None:
            return 0
        return sum(
            self._sent.get((output.topic, partition, commit.incarnation), (-1, -1)) < (commit.offset, number)
            for number, output in enumerate(commit.outputs)
        )

    def _measure(self) -> None:
        now = time.monotonic()
        for (topic, partition), lane in self._lanes.items():
            positions = lane.commit.positions if lane.commit else {}
            here = ((positions.get(name, 0), TopicPartition(name, partition)) for name in self._inputs[topic])
            due = any(at <= clock.now() for at in lane.working.values())
            busy = due or self._unsent(partition, lane.commit)
            if not busy and all(position >= self._ends.get(end, 0) for position, end in here):
                lane.progressed = now
            lane.stall = max(lane.stall, now - lane.progressed)
