"""Makes ticks: time as data, by the broker's clock."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app import clock, metrics
from app.contract.instants import SECOND, Instant
from app.engine.ticks import MILLISECOND, TickValue
from app.streams.patience import Patience

_encode = msgspec.json.Encoder().encode


class MadeTick(NamedTuple):
    """Where the tick is, and the instant that the broker gave it."""

    offset: int
    instant: Instant


class Ticker:
    """Appends ticks for the partitions of this worker."""

    def __init__(
        self,
        topic: str,
        inputs: Sequence[str],
        *,
        producer: AIOKafkaProducer,
        consumer: AIOKafkaConsumer,
        patience: Patience,
    ) -> None:
        """`inputs` are the topics whose ends a tick names; `consumer` is read_committed and in no group."""
        self._topic = topic
        self._inputs = inputs
        self._producer = producer
        self._consumer = consumer
        self._patience = patience
        self._off_seconds = 0.0

    @property
    def on_time(self) -> bool:
        """Say whether this machine's clock agrees with the broker's."""
        return abs(self._off_seconds) <= clock.OFF_SECONDS

    async def tick(self, partition: int) -> MadeTick:
        """Append one tick: everything below the last stable offsets of now comes before it."""
        (made,) = await self._make([partition])
        return made

    async def run(self, partitions: Callable[[], Iterable[int]], seconds: float) -> None:
        """Append a tick for each of `partitions()` every `seconds`."""
        while True:
            await asyncio.sleep(seconds)
            await self._make(list(partitions()))

    async def _make(self, partitions: Sequence[int]) -> list[MadeTick]:
        if not partitions:
            return []
        wanted = [TopicPartition(topic, partition) for partition in partitions for topic in self._inputs]
        ends = await self._patience.answered(lambda: self._consumer.end_offsets(wanted))
        return list(await asyncio.gather(*(self._append(partition, ends) for partition in partitions)))

    async def _append(self, partition: int, ends: Mapping[TopicPartition, int]) -> MadeTick:
        value = TickValue(partition, {topic: ends[TopicPartition(topic, partition)] for topic in self._inputs})
        asked = clock.now()
        future = await self._producer.send(
            self._topic, _encode(value), key=str(partition).encode(), partition=partition
        )
        metadata = await self._patience.acknowledged(future, f"{self._topic}[{partition}]")
        instant = metadata.timestamp * MILLISECOND
        self._off_seconds = ((asked + clock.now()) / 2 - instant) / SECOND
        metrics.CLOCK_OFF.set(self._off_seconds)
        return MadeTick(metadata.offset, instant)
