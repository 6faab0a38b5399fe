"""A live partition on a real broker: when it has begun, and what is published to it."""

from collections.abc import Sequence

from app.engine.records import COMMIT_KEY
from app.streams import client
from tests.kafka.system import System


async def has_begun(system: System) -> bool:
    """Tell whether the worker has begun with partition 0: what happens from now on is live."""
    journal = await client.read(system.bootstrap, system.names.book_journal)
    return any(record.partition == 0 and record.key == COMMIT_KEY for record in journal)


async def publish(system: System, sent: Sequence[tuple[str | None, bytes | None]]) -> list[int]:
    """Append (key, value) each to partition 0 of billing.events; return their offsets."""
    async with client.opened_producer(system.bootstrap) as producer:
        return [
            (await producer.send_and_wait(system.names.billing, value, key and key.encode(), partition=0)).offset
            for key, value in sent
        ]


async def decided_at_least(system: System, count: int) -> bool:
    return len(await system.decided()) >= count
