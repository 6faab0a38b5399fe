"""aiokafka without a framework: state in a dict, the changelog in record batches, offsets committed every second.

The least that a Python program on aiokafka pays for the workload. It is no engine: nothing restores its state, and what
it sends is neither fenced nor recognisable when sent again.
"""

import time
from typing import Any

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.benchmarks.job import Job, Meter, answer, read_job
from tests.benchmarks.workload import EMIT_EVERY, changed

FETCH_BYTES = 1 << 20
BATCH_BYTES = 256 << 10
COMMIT_SECONDS = 1.0


class Changelog:
    """Record batches in the making, one a partition."""

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic
        self._builders: dict[int, Any] = {}
        self.sent: list[Any] = []

    async def put(self, partition: int, key: bytes, value: bytes) -> None:
        builder = self._builders.get(partition)
        if builder is None:
            builder = self._builders[partition] = self._producer.create_batch()
        if builder.append(key=key, value=value, timestamp=None) is None:
            await self._ship(partition)
            builder = self._builders[partition] = self._producer.create_batch()
            builder.append(key=key, value=value, timestamp=None)

    async def flush(self) -> None:
        for partition in list(self._builders):
            await self._ship(partition)
        await self._producer.flush()
        for future in self.sent:
            future.result()
        self.sent.clear()

    async def _ship(self, partition: int) -> None:
        batch = self._builders.pop(partition)
        self.sent.append(await self._producer.send_batch(batch, self._topic, partition=partition))


async def process(job: Job, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, meter: Meter) -> None:
    changelog = Changelog(producer, job.journal)
    state: dict[str, bytes] = {}
    done = 0
    committed = time.monotonic()
    while done < job.count:
        fetched = await consumer.getmany(timeout_ms=1_000, max_records=2_000)
        if fetched:
            meter.begin()
        for topic_partition, records in fetched.items():
            partition = topic_partition.partition
            for record in records:
                done += 1
                event = orjson.loads(record.value)
                data = event["data"]
                invoice = data["invoice_id"]
                known = state.get(invoice)
                if known is not None:
                    older = orjson.loads(known)
                    if older["version"] > data["version"]:
                        data = older
                row = orjson.dumps(data)
                state[invoice] = row
                await changelog.put(partition, invoice.encode(), row)
                if done % EMIT_EVERY == 0:
                    value = orjson.dumps(changed(data, event["id"], event["time"]))
                    sent = await producer.send(job.outbox, value, data["account_id"].encode(), partition=partition)
                    changelog.sent.append(sent)
        if done and time.monotonic() - committed >= COMMIT_SECONDS:
            await changelog.flush()
            await consumer.commit()
            committed = time.monotonic()
    await changelog.flush()
    await consumer.commit()


async def main() -> None:
    job = read_job()
    meter = Meter()
    consumer = AIOKafkaConsumer(
        job.events,
        bootstrap_servers=job.bootstrap,
        group_id=job.name,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    producer = AIOKafkaProducer(bootstrap_servers=job.bootstrap, acks="all", linger_ms=20, max_batch_size=BATCH_BYTES)
    await producer.start()
    for topic in (job.journal, job.outbox):
        await producer.partitions_for(topic)
    await consumer.start()
    await process(job, consumer, producer, meter)
    answer(meter.result(job.count, job.journal))
    await consumer.stop()
    await producer.stop()


if __name__ == "__main__":
    uvloop.run(main())
