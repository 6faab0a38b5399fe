"""A load as an upstream publishes it that writes in transactions, some of which it aborts."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence

import orjson
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.partitioner import murmur2

from app.dev.play import Line, Played, Ticked
from app.dev.publish import record_headers
from app.streams import client
from app.streams.names import Names
from tests.faults.load import Load

ABORTED = 0.3
NEVER = b"in an aborted transaction: to be read by nobody"


async def publish_in_transactions(
    bootstrap: str, names: Names, load: Load, chance: random.Random, aborted: Callable[[int], None], seconds: float
) -> None:
    """Send the load, spread over `seconds` at the least; what comes between two ticks is a transaction.

    Three in ten of these are preceded by one with the same keys that is aborted; read, it would become dead letters.
    `aborted` is told of each, of how many records that are in the log and count for nothing.
    """
    places = Counter(each.topic for each in await client.partitions_of(bootstrap, *names.facts, names.ticks))
    async with client.opened_producer(bootstrap) as ticks:
        upstream = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"{names.prefix}upstream")
        async with upstream:
            publisher = _Publisher(upstream, ticks, names, places)
            waiting: list[tuple[int, Played]] = []
            pause = seconds / sum(isinstance(each, Ticked) for each in load.played)
            for number, each in enumerate(load.played, 1):
                if isinstance(each, Played):
                    waiting.append((number, each))
                    continue
                if waiting and chance.random() < ABORTED:
                    aborted(await publisher.abort(waiting))
                await publisher.commit(waiting, load.span.begin)
                await publisher.tick(record_headers(each, number, load.span.begin))
                waiting = []
                await asyncio.sleep(pause)


class _Publisher:
    """Sends facts in transactions, and ticks that say where they end."""

    def __init__(self, upstream: AIOKafkaProducer, ticks: AIOKafkaProducer, names: Names, places: Counter[str]) -> None:
        self._upstream = upstream
        self._ticks = ticks
        self._names = names
        self._places = places
        self._ends = {TopicPartition(topic, p): 0 for topic in names.facts for p in range(places[topic])}

    async def abort(self, waiting: Sequence[tuple[int, Played]]) -> int:
        """Send something else under the same keys, and take it back; return how many records that were."""
        await self._upstream.begin_transaction()
        sent = []
        for _, played in waiting:
            place = self._place(played.line)
            sent.append(await self._upstream.send(place.topic, NEVER, played.line.key, partition=place.partition))
        await self._upstream.flush()
        await asyncio.gather(*sent)
        await self._upstream.abort_transaction()
        return len(sent)

    async def commit(self, waiting: Sequence[tuple[int, Played]], begin: int) -> None:
        """Send facts, all or none."""
        if not waiting:
            return
        async with self._upstream.transaction():
            for number, played in waiting:
                place, line = self._place(played.line), played.line
                sent = await self._upstream.send_and_wait(
                    place.topic,
                    line.value,
                    line.key,
                    partition=place.partition,
                    headers=record_headers(played, number, begin),
                )
                self._ends[place] = sent.offset + 1

    async def tick(self, headers: list[tuple[str, bytes]]) -> None:
        """Say that everything so far comes before this instant."""
        for partition in range(self._places[self._names.ticks]):
            ends = {topic: self._ends[TopicPartition(topic, partition)] for topic in self._names.facts}
            value = orjson.dumps({"partition": partition, "ends": ends})
            await self._ticks.send(self._names.ticks, value, partition=partition, headers=headers)
        await self._ticks.flush()

    def _place(self, line: Line) -> TopicPartition:
        """Return where the line's key belongs."""
        topic = self._names.prefix + line.topic
        number = line.number if line.key is None else murmur2(line.key) & 0x7FFFFFFF
        return TopicPartition(topic, number % self._places[topic])
