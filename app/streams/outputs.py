"""Sends what lanes have decided, each record with an id that repeats can be known by."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from app import metrics
from app.engine.records import ID_HEADER, Output
from app.streams.client import started
from app.streams.patience import Patience

BATCH_BYTES: Final = 960_000
"""Within what a topic takes that sets no `max.message.bytes`."""


class KafkaOutputs:
    """One producer for the outputs of all lanes of a process."""

    def __init__(self, producer: AIOKafkaProducer, patience: Patience) -> None:
        """Send through `producer`, started."""
        self.producer = producer
        self._patience = patience

    async def send(self, outputs: Sequence[Output], partition: int, batch: str) -> None:
        """Append the outputs to this partition of their topics, in order; return when all are acknowledged."""
        waiting: list[tuple[str, asyncio.Future[Any]]] = []
        builders: dict[str, BatchBuilder] = {}
        for number, output in enumerate(outputs):
            headers = [(ID_HEADER, f"{batch}/{number}".encode())]
            builder = builders.get(output.topic)
            if builder is None or _append(builder, output, headers) is None:
                if builder is not None:
                    waiting.append((output.topic, await self._ship(builder, output.topic, partition)))
                builder = builders[output.topic] = self.producer.create_batch()
                _append(builder, output, headers)
        for topic, builder in builders.items():
            waiting.append((topic, await self._ship(builder, topic, partition)))
        for topic, future in waiting:
            await self._patience.acknowledged(future, f"{topic}[{partition}]")

    async def _ship(self, builder: BatchBuilder, topic: str, partition: int) -> asyncio.Future[Any]:
        builder.close()
        metrics.OUTPUTS.labels(topic).inc(builder.record_count())
        return await self._patience.sent(lambda: self.producer.send_batch(builder, topic, partition=partition), topic)


def _append(builder: BatchBuilder, output: Output, headers: list[tuple[str, bytes]]) -> object:
    return builder.append(key=output.key, value=output.value, timestamp=None, headers=headers)


async def open_producer(bootstrap: str) -> AIOKafkaProducer:
    """Start the outputs' producer; a broker that is away is waited for."""
    return await started(
        lambda: AIOKafkaProducer(
            bootstrap_servers=bootstrap, enable_idempotence=True, acks="all", max_batch_size=BATCH_BYTES
        ),
        lambda client: client.stop(),
        bootstrap,
    )
