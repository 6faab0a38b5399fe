"""A system in which a history is played in two halves, and something is done to it in between."""

from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition

from app.config.check import Config
from app.contract.instants import MINUTE, Instant
from app.dev.play import Played, Ticked, play
from app.dev.provider import history, span
from app.dev.publish import publish_played
from app.domain.rules import Rulebook
from app.engine.writing import as_line
from app.simulate.run import simulate
from app.streams.client import opened_consumer
from tests.kafka.system import PARTITIONS, System
from tests.kafka.waiting import eventually

DAYS = 20


class House:
    """See the module."""

    def __init__(self, system: System, config: Config) -> None:
        self.system = system
        self.names = system.names
        self.config = config
        self.span = span(DAYS)
        self.lines = list(history(accounts=80, seed=17, days=DAYS))
        self.rulebook = Rulebook(config.rules, config.companies)
        self.played: list[Played | Ticked] = list(play(self.lines, self.span, 10 * MINUTE, self.rulebook.companies))
        self.at: Instant = 0
        self.app = f"{self.names.prefix}whimbrel-triggers"

    @property
    def half(self) -> int:
        """Where a tick is about halfway."""
        ticks = [number for number, each in enumerate(self.played) if isinstance(each, Ticked)]
        return ticks[len(ticks) // 2] + 1

    async def publish(self, part: Sequence[Played | Ticked]) -> None:
        """Publish a part that ends with a tick."""
        await publish_played(self.system.bootstrap, self.names, part, self.span.begin)
        self.at = part[-1].at

    def expected(self) -> list[dict[str, Any]]:
        """Return what is to be decided of the whole history."""
        decisions, _ = simulate(self.lines, self.rulebook, self.span)
        return [as_line(decision) for decision in decisions]

    async def decided(self, expected: Sequence[dict[str, Any]]) -> None:
        """Wait until as much was decided as is expected."""

        async def there() -> bool:
            return len(await self.system.decided()) >= len(expected)

        try:
            await eventually(there, 120)
        except TimeoutError:
            pytest.fail(f"{len(await self.system.decided())} of {len(expected)} decided\n{self.system.logs()}")

    async def worked_off(self) -> bool:
        """Whether every tick there is has been processed."""
        return await self.system.worked_off(self.at)

    async def ends(self, *topics: str) -> list[int]:
        """Return the ends of the topics' partitions."""
        here = [TopicPartition(topic, partition) for topic in topics for partition in range(PARTITIONS)]
        async with opened_consumer(self.system.bootstrap) as consumer:
            ends = await consumer.end_offsets(here)
        return [ends[each] for each in here]
