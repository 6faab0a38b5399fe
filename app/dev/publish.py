"""Plays events into the topics: as they stand in a file, or with the file's own time (ARCHITECTURE.md, section 4)."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, TypeAlias

import orjson
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from app.contract.instants import DAY, Instant, format_instant
from app.dev.play import Line, Played, Ticked
from app.engine.records import BACKLOG_HEADER, FROM_HEADER, LINE_HEADER, NOW_HEADER
from app.errors import WhimbrelError
from app.streams.client import PATIENCE_SECONDS, KafkaAwayError, opened_consumer, opened_producer, partitions_of
from app.streams.names import Names

SOURCE_LINE_HEADER: Final = "whimbrel-source-line"
MOST_IN_FLIGHT: Final = 5_000
"""Records that are sent and not yet known to be acknowledged."""
MOST_STEPS: Final = 50
"""Ticks that wait for what comes before them."""

Headers: TypeAlias = list[tuple[str, bytes]]


class PublishError(WhimbrelError):
    """A record could not be published."""


@dataclass
class Progress:
    """What was sent so far; everything before the tick `at` is acknowledged."""

    at: Instant | None = None
    facts: int = 0
    ticks: int = 0


async def publish_lines(bootstrap: str, names: Names, lines: Iterable[Line]) -> Progress:
    """Send lines as they come, and return when all are acknowledged. Raises PublishError, KafkaAwayError."""
    partitions = await partitions_of(bootstrap, *names.facts)
    async with opened_producer(bootstrap) as producer:
        publisher = _Publisher(producer, names, partitions)
        for line in lines:
            await publisher.send(line, [])
        await publisher.settle()
    return publisher.progress


async def publish_played(
    bootstrap: str,
    names: Names,
    played: Iterable[Played | Ticked],
    begin: Instant,
    *,
    day_seconds: float = 0.0,
    on_tick: Callable[[Progress], None] = lambda _: None,
) -> Progress:
    """Send a history with its ticks, and return when all is acknowledged.

    `begin` is where the history goes live; from there a simulated day takes at least `day_seconds`. `on_tick` is
    called after every tick. Raises PublishError, KafkaAwayError.
    """
    loop = asyncio.get_running_loop()
    partitions = await partitions_of(bootstrap, *names.facts, names.ticks)
    ends = await _ends(bootstrap, [partition for partition in partitions if partition.topic != names.ticks])
    async with opened_producer(bootstrap) as producer:
        publisher = _Publisher(producer, names, partitions, ends)
        started = loop.time()
        for number, each in enumerate(played, 1):
            headers = record_headers(each, number, begin)
            if isinstance(each, Played):
                await publisher.send(each.line, headers)
                continue
            due = started + (each.at - begin) / DAY * day_seconds
            if loop.time() < due:
                await publisher.settle()
                await asyncio.sleep(due - loop.time())
            await publisher.tick(each.at, headers)
            on_tick(publisher.progress)
        await publisher.settle()
    return publisher.progress


def record_headers(played: Played | Ticked, number: int, begin: Instant) -> Headers:
    """Return what a record says of its place in the history: the `number`-th, in play order."""
    headers = [(NOW_HEADER, _written(played.at)), (LINE_HEADER, b"%d" % number), (FROM_HEADER, _written(begin))]
    if isinstance(played, Played):
        headers.append((SOURCE_LINE_HEADER, b"%d" % played.line.number))
        if played.backlog:
            headers.append((BACKLOG_HEADER, b"1"))
    return headers


@lru_cache(maxsize=1024)
def _written(instant: Instant) -> bytes:
    return format_instant(instant).encode()


async def _ends(bootstrap: str, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    async with opened_consumer(bootstrap) as consumer:
        return dict(await consumer.end_offsets(partitions))


@dataclass
class _Step:
    """What was sent since the tick before, and the tick that follows when all of it is acknowledged."""

    sent: list[tuple[str, "asyncio.Future[Any]"]] = field(default_factory=list)
    headers: Headers = field(default_factory=list)
    at: Instant = 0


class _Publisher:
    """Sends many records ahead, but no tick before everything that comes before it is acknowledged."""

    def __init__(
        self,
        producer: AIOKafkaProducer,
        names: Names,
        partitions: Sequence[TopicPartition],
        ends: dict[TopicPartition, int] | None = None,
    ) -> None:
        self.progress = Progress()
        self._producer = producer
        self._names = names
        self._counts = Counter(partition.topic for partition in partitions)
        self._ends = ends or {}
        self._steps: deque[_Step] = deque()
        self._open = _Step()
        self._in_flight = 0
        self._places: dict[bytes, int] = {}

    async def send(self, line: Line, headers: Headers) -> None:
        """Send a line to its topic, and to the partition of its key."""
        topic = self._names.prefix + line.topic
        partition = self._place(line) % self._counts[topic]
        await self._send(f"line {line.number}", TopicPartition(topic, partition), line.key, line.value, headers)
        self.progress.facts += 1
        if self._in_flight > MOST_IN_FLIGHT:
            await self.settle()

    async def tick(self, at: Instant, headers: Headers) -> None:
        """Send a tick to every partition, as soon as what was sent is acknowledged."""
        self._open.at, self._open.headers = at, headers
        self._steps.append(self._open)
        self._open = _Step()
        while self._steps and all(future.done() for _, future in self._steps[0].sent):
            await self._finish(self._steps.popleft())
        if len(self._steps) > MOST_STEPS or self._in_flight > MOST_IN_FLIGHT:
            await self.settle()

    async def settle(self) -> None:
        """Return when everything sent is acknowledged, ticks too."""
        while self._steps:
            await self._finish(self._steps.popleft())
        await self._acknowledged(self._open)

    async def _finish(self, step: _Step) -> None:
        await self._acknowledged(step)
        for partition in range(self._counts[self._names.ticks]):
            ends = {topic: self._ends[TopicPartition(topic, partition)] for topic in self._names.facts}
            value = orjson.dumps({"partition": partition, "ends": ends})
            key = b"%d" % partition
            await self._send("a tick", TopicPartition(self._names.ticks, partition), key, value, step.headers)
        self.progress.at = step.at
        self.progress.ticks += 1

    async def _acknowledged(self, step: _Step) -> None:
        what = ""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                for what, future in step.sent:  # noqa: B007 - what failed is named below
                    appended = await future
                    self._ends[appended.topic_partition] = appended.offset + 1
        except TimeoutError as error:
            raise KafkaAwayError(f"Kafka did not acknowledge {what} for {PATIENCE_SECONDS:.0f} s") from error
        except KafkaError as error:
            raise PublishError(f"Kafka refused {what}: {error}") from error
        self._in_flight -= len(step.sent)
        step.sent.clear()

    async def _send(
        self, what: str, partition: TopicPartition, key: bytes | None, value: bytes, headers: Headers
    ) -> None:
        try:
            future = await self._producer.send(
                partition.topic, value, key, partition=partition.partition, headers=headers
            )
        except KafkaError as error:
            raise PublishError(f"{what} could not be sent: {error}") from error
        self._open.sent.append((what, future))
        self._in_flight += 1

    def _place(self, line: Line) -> int:
        """Return where every Kafka client's default puts the key; a line without one has its place by its number."""
        if line.key is None:
            return line.number
        place = self._places.get(line.key)
        if place is None:
            place = self._places[line.key] = murmur2(line.key) & 0x7FFFFFFF
        return place
