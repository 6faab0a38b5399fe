"""Plain Kafka clients for the tools: connecting with patience, reading a topic, appending to one."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Final, Protocol, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError, NodeNotReadyError

from app.engine.records import Record
from app.errors import WhimbrelError

PATIENCE_SECONDS: Final = 60.0
"""How long a broker that is away is waited for (ARCHITECTURE.md, section 7, 8)."""
RETRY_SECONDS: Final = 0.5
STOP_SECONDS: Final = 10.0
IDLE_MS: Final = 500
FETCH_WAIT_MS: Final = 100
"""Whoever turns to another partition first waits for the fetch that is under way, in vain, at the one before."""
REQUEST_BYTES: Final = 16 << 20
AWAY: Final = (KafkaConnectionError, NodeNotReadyError)
"""What is said of a broker that cannot be reached; others may."""


class KafkaAwayError(WhimbrelError):
    """Kafka cannot be reached."""


class TopicMissingError(WhimbrelError):
    """A topic does not exist."""

    def __init__(self, topic: str) -> None:
        """Name it, and what creates it."""
        super().__init__(f"topic {topic} does not exist; create all with: whimbrel topics create")


class Startable(Protocol):
    """What all clients of aiokafka have in common."""

    async def start(self) -> None: ...


C = TypeVar("C", bound=Startable)
T = TypeVar("T")


async def started(make: Callable[[], C], close: Callable[[C], Awaitable[None]], bootstrap: str) -> C:
    """Make a client and start it; one that cannot connect is closed and made again, for 60 s, then KafkaAwayError."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_SECONDS
    while True:
        client = make()
        try:
            async with asyncio.timeout_at(deadline + RETRY_SECONDS):  # one that asks for its id asks for ever
                await client.start()
        except (KafkaError, TimeoutError) as error:
            await close(client)
            if not is_away(error) and not isinstance(error, TimeoutError):
                raise
            if loop.time() > deadline:
                raise KafkaAwayError(f"no Kafka at {bootstrap} for {PATIENCE_SECONDS:.0f} s") from error
            await asyncio.sleep(RETRY_SECONDS)
        except BaseException:
            await close(client)
            raise
        else:
            return client


async def in_time(closing: Awaitable[object]) -> None:
    """Wait for a client to close, 10 s at most.

    What is not acknowledged by then never may be, and an idempotent producer would wait for it for ever.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_SECONDS):
            await closing


def is_away(error: BaseException) -> bool:
    """Say whether no broker answered; a transactional producer that is looking for its coordinator wraps it up."""
    if not isinstance(error, KafkaError):
        return False
    return isinstance(error, KafkaConnectionError) or isinstance(error.__cause__, AWAY)


@asynccontextmanager
async def opened_admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """Open an admin client."""
    admin = await started(
        lambda: AIOKafkaAdminClient(bootstrap_servers=bootstrap), lambda client: client.close(), bootstrap
    )
    try:
        yield admin
    except AWAY as error:
        raise KafkaAwayError(f"Kafka at {bootstrap} went away") from error
    finally:
        await admin.close()


@asynccontextmanager
async def opened_producer(bootstrap: str, *, idempotent: bool = True) -> AsyncIterator[AIOKafkaProducer]:
    """Open a producer with acks=all, whose records may be large.

    One that is `idempotent` is done with a partition once the broker has refused a record: aiokafka has given the
    record its number, and the broker takes none behind a gap. One that is not may write a record twice.
    """

    def make() -> AIOKafkaProducer:
        return AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            acks="all",
            enable_idempotence=idempotent,
            max_batch_size=1 << 18,
            max_request_size=REQUEST_BYTES,
        )

    producer = await started(make, lambda client: client.stop(), bootstrap)
    try:
        yield producer
    finally:
        await in_time(producer.stop())


@asynccontextmanager
async def opened_consumer(bootstrap: str, fetch_bytes: int = 1 << 20) -> AsyncIterator[AIOKafkaConsumer]:
    """Open a consumer in no group, without partitions yet; it sees no record of an aborted transaction.

    A fetch brings about `fetch_bytes` of each partition.
    """

    def make() -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_partition_fetch_bytes=fetch_bytes,
            fetch_max_wait_ms=FETCH_WAIT_MS,
        )

    consumer = await started(make, lambda client: client.stop(), bootstrap)
    try:
        yield consumer
    except KafkaError as error:
        raise KafkaAwayError(f"reading from Kafka at {bootstrap} failed: {error}") from error
    finally:
        await consumer.stop()


async def partition_counts(bootstrap: str) -> dict[str, int]:
    """Return every topic that there is, and that may be seen, with the number of its partitions."""
    async with opened_admin(bootstrap) as admin:
        return {each["topic"]: len(each["partitions"]) for each in await _answered(admin.describe_topics)}


async def partitions_of(bootstrap: str, *topics: str) -> list[TopicPartition]:
    """Return the topics' partitions in order; raise TopicMissingError where a topic does not exist."""
    counts = await partition_counts(bootstrap)
    for topic in topics:
        if topic not in counts:
            raise TopicMissingError(topic)
    return [TopicPartition(topic, partition) for topic in topics for partition in range(counts[topic])]


async def _answered(ask: Callable[[], Awaitable[T]]) -> T:
    """Return the answer to a question that goes to any broker: one that is away may be asked first. 60 s long."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_SECONDS
    while True:
        try:
            return await ask()
        except AWAY:
            if loop.time() > deadline:
                raise
            await asyncio.sleep(RETRY_SECONDS)


async def records(
    bootstrap: str, topic: str, *, follow: bool = False, partition: int | None = None
) -> AsyncGenerator[Record]:
    """Yield a topic's records from the beginning, in order within each partition: of all, or of the one told.

    Ends at what was the topic's end at the call; with `follow` never. Raises TopicMissingError; KafkaAwayError where
    the broker is away for longer than the client's patience.
    """
    there = await partitions_of(bootstrap, topic)
    partitions = there if partition is None else [there[partition]]
    async with opened_consumer(bootstrap) as consumer:
        ends = await consumer.end_offsets(partitions)
        consumer.assign(partitions)
        for here, start in (await consumer.beginning_offsets(partitions)).items():
            consumer.seek(here, start)
        while follow or not await _reached(consumer, ends):
            fetched = await consumer.getmany(timeout_ms=IDLE_MS)
            for here in partitions:
                for record in fetched.get(here, ()):
                    if follow or record.offset < ends[here]:
                        yield record
            if not fetched:
                # A consumer waits for its broker in silence; a question has an end.
                await consumer.end_offsets(partitions)


async def _reached(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
    return all([await consumer.position(partition) >= end for partition, end in ends.items()])


async def stretch(
    consumer: AIOKafkaConsumer, here: TopicPartition, end: int, begin: int | None = None
) -> AsyncGenerator[Record]:
    """Yield one partition's records from `begin` (None: its beginning) up to offset `end`, exclusive."""
    consumer.assign([here])
    consumer.seek(here, (await consumer.beginning_offsets([here]))[here] if begin is None else begin)
    while await consumer.position(here) < end:
        fetched = await consumer.getmany(here, timeout_ms=IDLE_MS)
        for record in fetched.get(here, ()):
            if record.offset < end:
                yield record


async def read(bootstrap: str, topic: str) -> list[Record]:
    """Return everything that the topic holds now."""
    return [record async for record in records(bootstrap, topic)]


async def newest(bootstrap: str, topic: str) -> Record | None:
    """Return the last record of a topic of one partition, None where it has none."""
    last = None
    async with aclosing(records(bootstrap, topic)) as each:
        async for record in each:
            last = record
    return last


async def append(bootstrap: str, topic: str, key: bytes | None, value: bytes) -> int:
    """Append one record, wait for all copies, and return its offset. Raises TopicMissingError, KafkaAwayError."""
    await partitions_of(bootstrap, topic)
    async with opened_producer(bootstrap) as producer:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                metadata = await producer.send_and_wait(topic, value, key)
        except TimeoutError as error:
            raise KafkaAwayError(f"Kafka at {bootstrap} did not acknowledge for {PATIENCE_SECONDS:.0f} s") from error
    return int(metadata.offset)
