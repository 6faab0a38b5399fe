"""Facts that were published while topics grew: a copy of each goes where its account is now.

Upstream's topics are not ours to write to. A copy is a replay, as one of a dead letter's record is: a late fact.
"""

import asyncio
from collections import Counter
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from app.engine.dead_letters import Place
from app.engine.records import REPLAY_HEADER, Record, header
from app.growth.journals import Unread
from app.streams.client import stretch
from app.streams.partitioner import partition_of_key
from app.streams.patience import Patience
from app.streams.positions import resumed


class Forwarding:
    """Copies to the topic `replays`; `copies` says how many records of which topic were copied."""

    def __init__(
        self, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, patience: Patience, replays: str, partitions: int
    ) -> None:
        """`partitions` is the new number of them; `consumer` reads what is committed alone."""
        self.copies: Counter[str] = Counter()
        self._consumer = consumer
        self._producer = producer
        self._patience = patience
        self._replays = replays
        self._partitions = partitions

    async def copied(self, left: Unread, *, go_on: bool) -> bool:
        """Copy what is unread, acknowledged; False where all of it lies where its accounts are: it is read there.

        `go_on`: without what retention has removed. Raises StateUnusableError where that is not so, and what
        `Patience.acknowledged` raises.
        """
        here, begin, end = left
        beginning = (await self._consumer.beginning_offsets([here]))[here]
        begin = resumed(here.topic, here.partition, begin, beginning, end, go_on=go_on)
        strays = [self._place(each) != here.partition async for each in stretch(self._consumer, here, end, begin)]
        if not any(strays):
            return False
        sent = [await self._send(record) async for record in stretch(self._consumer, here, end, begin)]
        for future in sent:
            await self._patience.acknowledged(future, self._replays)
        self.copies[here.topic] += len(sent)
        return True

    async def _send(self, record: Record) -> asyncio.Future[Any]:
        headers = list(record.headers)
        if header(record, REPLAY_HEADER) is None:
            place = Place(record.topic, record.partition, record.offset)
            headers.append((REPLAY_HEADER, str(place).encode()))
        future: asyncio.Future[Any] = await self._producer.send(
            self._replays, record.value, record.key, partition=self._place(record), headers=headers
        )
        return future

    def _place(self, record: Record) -> int:
        """Return where the record's account is; what has no key is nobody's, and is refused wherever it is read."""
        return record.partition if record.key is None else partition_of_key(record.key, self._partitions)
