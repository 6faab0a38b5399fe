"""The configuration in force, read from its topic to the end and followed from there."""

import logging
import time
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from app import metrics
from app.config.record import read_record
from app.domain.rules import Rulebook
from app.engine.ticks import MILLISECOND
from app.streams.patience import Patience

log = logging.getLogger(__name__)

ASK_SECONDS: Final = 5.0
FRESH_SECONDS: Final = 20.0
"""A lane decides only while the reader knows of everything applied so many seconds ago (ARCHITECTURE.md, section 5)."""
POLL_MS: Final = 250
NOTHING: Final = Rulebook((), {})


class ConfigReader:
    """Follows `whimbrel.config` with a consumer of its own, in no group."""

    def __init__(self, topic: str) -> None:
        """Know nothing before `start`."""
        self._here = TopicPartition(topic, 0)
        self._rulebook: Rulebook | None = None
        self._reached = float("-inf")

    @property
    def topic(self) -> str:
        """The topic's name."""
        return str(self._here.topic)

    @property
    def rulebook(self) -> Rulebook:
        """The rules and companies in force; empty before the first apply."""
        return self._rulebook or NOTHING

    @property
    def offset(self) -> int:
        """Offset of the record in force; -1 before the first apply."""
        return self.rulebook.offset

    @property
    def unready(self) -> str | None:
        """Say why nothing may be decided by what is known."""
        if self._rulebook is None:
            return "no configuration has been applied: whimbrel config apply DIR"
        if time.monotonic() - self._reached > FRESH_SECONDS:
            return "the configuration topic could not be read for 20 s"
        return None

    async def start(self, consumer: AIOKafkaConsumer, patience: Patience) -> None:
        """Read the topic to its end through `consumer`, which has no partitions yet."""
        consumer.assign([self._here])
        beginnings = await patience.answered(lambda: consumer.beginning_offsets([self._here]))
        consumer.seek(self._here, beginnings[self._here])
        await self._reach_end(consumer, patience)

    async def follow(self, consumer: AIOKafkaConsumer, patience: Patience) -> None:
        """Read on and on."""
        while True:
            asked = time.monotonic()
            await self._reach_end(consumer, patience)
            while time.monotonic() - asked < ASK_SECONDS:
                await self._read(consumer)

    async def _reach_end(self, consumer: AIOKafkaConsumer, patience: Patience) -> None:
        asked = time.monotonic()
        end = (await patience.answered(lambda: consumer.end_offsets([self._here])))[self._here]
        while await consumer.position(self._here) < end:
            await self._read(consumer)
        self._reached = asked

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        fetched = await consumer.getmany(self._here, timeout_ms=POLL_MS)
        for record in fetched.get(self._here, ()):
            if record.value is not None:
                self._rulebook = read_record(record.value, record.timestamp * MILLISECOND, record.offset)
                metrics.CONFIG_OFFSET.set(record.offset)
                log.info("configuration in force", extra={"offset": record.offset})
