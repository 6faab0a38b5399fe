"""The benchmark's topics: made, filled with the workload, and a journal read back and compared with the generator."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder
from msgspec import Struct

from app.streams.client import opened_admin, records
from tests.benchmarks.workload import PARTITIONS, Event, events, newest_versions

BATCH_BYTES = 1 << 20
IN_FLIGHT = 8
KNOWN_SECONDS = 30.0
LOOK_SECONDS = 0.05
ENGINE = b"~"

Told = Callable[[bytes, bytes], tuple[str, int]]
"""From a journal record's key and value: which invoice, which version."""


class Verified(Struct, frozen=True):
    """What a journal holds, beside what it must hold."""

    records: int
    missing: int
    wrong: int

    @property
    def good(self) -> bool:
        return not (self.missing or self.wrong)


async def make_topics(bootstrap: str, topics: Mapping[str, str]) -> None:
    """Create topics, each with its cleanup policy."""
    new = [
        NewTopic(name, PARTITIONS, 1, topic_configs={"cleanup.policy": policy, "max.message.bytes": str(8 << 20)})
        for name, policy in topics.items()
    ]
    async with opened_admin(bootstrap) as admin:
        await admin.create_topics(new)
        async with asyncio.timeout(KNOWN_SECONDS):
            while set(topics) - set(await admin.list_topics()):  # noqa: ASYNC110 - the broker tells nobody
                await asyncio.sleep(LOOK_SECONDS)


async def preload(bootstrap: str, topic: str, count: int) -> None:
    """Append the first `count` events of the workload, partitioned as Java's clients do."""
    await fill(bootstrap, topic, events(count))


async def fill(bootstrap: str, topic: str, told: Iterable[Event]) -> None:
    """Append events in record batches."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", max_batch_size=BATCH_BYTES, max_request_size=16 * BATCH_BYTES
    )
    await producer.start()
    try:
        await producer.partitions_for(topic)
        await _append(producer, topic, told)
    finally:
        await producer.stop()


async def _append(producer: AIOKafkaProducer, topic: str, told: Iterable[Event]) -> None:
    partition_of = _partitioner()
    batches: dict[int, BatchBuilder] = {}
    sent: list[asyncio.Future[object]] = []
    for event in told:
        partition = partition_of(event.key)
        batch = batches.get(partition) or batches.setdefault(partition, producer.create_batch())
        if batch.append(key=event.key, value=event.value, timestamp=None) is None:
            batch.close()
            sent.append(await producer.send_batch(batch, topic, partition=partition))
            batch = batches[partition] = producer.create_batch()
            batch.append(key=event.key, value=event.value, timestamp=None)
            if len(sent) >= IN_FLIGHT:
                await sent.pop(0)
    for partition, batch in batches.items():
        batch.close()
        sent.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*sent)


def _partitioner() -> Callable[[bytes], int]:
    everywhere = list(range(PARTITIONS))
    choose = DefaultPartitioner()
    known: dict[bytes, int] = {}

    def partition_of(key: bytes) -> int:
        if key not in known:
            known[key] = choose(key, everywhere, everywhere)
        return known[key]

    return partition_of


async def verify(bootstrap: str, journal: str, count: int, told: Told) -> Verified:
    """Compare the last value of each key with the newest version among the workload's first `count` events."""
    last: dict[str, int] = {}
    seen = 0
    async for record in records(bootstrap, journal):
        if record.key is None or record.value is None or record.key.startswith(ENGINE):
            continue
        seen += 1
        invoice, version = told(record.key, record.value)
        last[invoice] = version
    wanted = newest_versions(count)
    missing = wanted.keys() - last.keys()
    wrong = sum(last[invoice] != version for invoice, version in wanted.items() if invoice in last)
    return Verified(seen, len(missing), wrong)


class _Row(Struct):
    invoice_id: str
    version: int


_json_row = msgspec.json.Decoder(_Row).decode
_packed_row = msgspec.msgpack.Decoder(_Row).decode


def told_in_json(key: bytes, value: bytes) -> tuple[str, int]:
    """Read a row that is the event's data in JSON."""
    del key
    row = _json_row(value)
    return row.invoice_id, row.version


def told_in_msgpack(key: bytes, value: bytes) -> tuple[str, int]:
    """Read a row that is the event's data in msgpack."""
    del key
    row = _packed_row(value)
    return row.invoice_id, row.version
