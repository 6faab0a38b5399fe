"""Changes the configuration: one record on `whimbrel.config` a change (ARCHITECTURE.md section 5, Configuration).

Each record is whole, and made from the one before it. So that none is made from one that is not the newest any more,
whoever writes takes over the one transactional id first: what an earlier writer still has in hand the broker refuses,
and that one begins again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from random import uniform
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    ProducerFenced,
    TransactionalIdAuthorizationFailed,
)

from app.config.changes import changes
from app.config.check import Config
from app.config.record import EFFECTIVE_AFTER, KEY, Change, Recorded, next_record, next_switches, read
from app.contract.instants import Instant
from app.domain.switches import Switches
from app.errors import WhimbrelError
from app.streams.client import REQUEST_BYTES, STOP_SECONDS, KafkaAwayError, newest, partitions_of, started

ATTEMPTS: Final = 20
STEP_SECONDS: Final = 0.5
WRITE_SECONDS: Final = 10.0
"""From the record's timestamp until everybody can read it: with the 20 s within which workers know what can be read,
that is the 30 s after which it is in force."""


class ApplyError(WhimbrelError):
    """The configuration was not changed."""


@dataclass(frozen=True)
class Applied:
    """What an apply did: a line for each rule and company that changed; in force everywhere at `effective`."""

    changes: list[str]
    offset: int
    effective: Instant


@dataclass(frozen=True)
class Switched:
    """What the switches were, and what they are now."""

    before: Switches
    after: Switches


@dataclass(frozen=True)
class _Value:
    """A record, as far as it matters here; offset -1 and no value where there is none yet."""

    offset: int = -1
    at: Instant = 0
    value: bytes | None = None

    @property
    def says(self) -> Recorded:
        return read(self.value, self.at)


async def apply(bootstrap: str, topic: str, wanted: Config, *, as_written: bool) -> Applied | None:
    """Append the record that puts `wanted` in force; None where it is already.

    Raises ApplyError, RecordError, TopicMissingError, KafkaAwayError.
    """

    def follow(newest: _Value) -> bytes | None:
        return next_record(newest.value, newest.at, wanted, as_written=as_written)

    before, after = await _append(bootstrap, topic, follow)
    if after is None:
        return None
    lines = changes(before.says.config, after.says.config)
    return Applied(lines, after.offset, after.at if as_written else after.at + EFFECTIVE_AFTER)


async def switch(bootstrap: str, topic: str, change: Change) -> Switched:
    """Append the record with the switches that `change` makes of the newest, unless they are so already.

    Raises ApplyError where no configuration was applied yet, what `change` raises, and what `apply` raises.
    """

    def follow(newest: _Value) -> bytes | None:
        if newest.value is None:
            raise ApplyError("no configuration has been applied yet, so nothing is sent: whimbrel config apply DIR")
        return next_switches(newest.value, newest.at, change)

    before, after = await _append(bootstrap, topic, follow)
    return Switched(before.says.switches, (after or before).says.switches)


async def current(bootstrap: str, topic: str) -> Recorded:
    """Return what the newest record says. Raises RecordError, TopicMissingError, KafkaAwayError."""
    return (await _newest(bootstrap, topic)).says


async def _append(bootstrap: str, topic: str, follow: Callable[[_Value], bytes | None]) -> tuple[_Value, _Value | None]:
    """Append what `follow` makes of the newest record; return that one, and the one appended if there is one."""
    await partitions_of(bootstrap, topic)
    for attempt in range(ATTEMPTS):
        # Those who shut each other out would go on doing so in step.
        await asyncio.sleep(uniform(0, attempt * STEP_SECONDS))  # noqa: S311 - no secret
        with suppress(ProducerFenced):
            async with _alone(bootstrap, topic) as producer:
                before = await _newest(bootstrap, topic)
                value = follow(before)
                return before, None if value is None else await _commit(producer, topic, value)
    raise ApplyError(f"others wrote the configuration at the same time, {ATTEMPTS} times over: run it again")


@asynccontextmanager
async def _alone(bootstrap: str, topic: str) -> AsyncIterator[AIOKafkaProducer]:
    """Open the one producer that may write: of the earlier ones nothing is appended any more."""
    writer = f"{topic}-writer"

    def make() -> AIOKafkaProducer:
        return AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            transactional_id=writer,
            transaction_timeout_ms=int(WRITE_SECONDS * 1_000),
            max_request_size=REQUEST_BYTES,
        )

    try:
        producer = await started(make, lambda client: client.stop(), bootstrap)
    except (TransactionalIdAuthorizationFailed, ClusterAuthorizationFailedError) as error:
        raise ApplyError(f"no permission to write alone: grant Write on TransactionalId {writer}") from error
    try:
        yield producer
    except ProducerFenced:
        _hear(producer)
        raise
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await producer.stop()


def _hear(producer: AIOKafkaProducer) -> None:
    """Take note of every future that aiokafka fails with a refused transaction: asyncio complains of those unheard."""
    producer._txn_manager.wait_for_transaction_end().exception()  # noqa: SLF001 - shown nowhere else, as the next
    for batch in chain(*producer._message_accumulator._batches.values()):  # noqa: SLF001
        batch._drain_waiter.exception()  # noqa: SLF001


async def _commit(producer: AIOKafkaProducer, topic: str, value: bytes) -> _Value:
    try:
        async with asyncio.timeout(WRITE_SECONDS), producer.transaction():
            metadata = await producer.send_and_wait(topic, value, KEY)
    except TimeoutError as error:
        raise KafkaAwayError(
            f"Kafka did not confirm for {WRITE_SECONDS:.0f} s: run it again to see the state"
        ) from error
    except ProducerFenced:
        raise
    except KafkaError as error:
        raise ApplyError(f"Kafka refused the change: {error}") from error
    return _Value(metadata.offset, metadata.timestamp * 1_000, value)


async def _newest(bootstrap: str, topic: str) -> _Value:
    record = await newest(bootstrap, topic)
    return _Value() if record is None else _Value(record.offset, record.timestamp * 1_000, record.value)
