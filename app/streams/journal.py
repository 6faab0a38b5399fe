"""The one writer of a partition's journal, and the fence that keeps every earlier one out.

Its producer id comes from InitProducerId with a transactional id of the partition's own, and is used without
transactions: once a later writer has appended its first record, the broker refuses the earlier ones, however late
their batches arrive. (ARCHITECTURE.md, section 5; FAUST.md, repair 6.)
"""

import math
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidProducerEpoch,
    NodeNotReadyError,
    ProducerFenced,
    TransactionalIdAuthorizationFailed,
)
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.producer.transaction_manager import PidAndEpoch
from aiokafka.protocol.transaction import InitProducerIdRequest

from app import metrics
from app.clock import OFF_SECONDS
from app.contract.instants import SECOND, Instant
from app.engine.ports import BatchTooLargeError
from app.engine.records import COMMIT_KEY
from app.engine.ticks import MILLISECOND
from app.errors import WhimbrelError
from app.streams.client import in_time, started
from app.streams.patience import Patience

FENCE_KEY: Final = b"~fence"
BATCH_BYTES: Final = 4 << 20
"""The largest batch that is appended; the topic takes twice as much (topics.py)."""
REQUEST_BYTES: Final = 16 << 20
Confirm = Callable[[], Awaitable[float]]
"""Asks the group; returns until when its word holds, by `time.monotonic()`; raises where another has the partition."""
FENCED: Final = (ProducerFenced, InvalidProducerEpoch)


class FenceError(WhimbrelError):
    """The journal cannot be fenced."""


class TakenOverError(WhimbrelError):
    """A later writer has fenced this one: what it had in hand is its successor's."""


class ClockOffError(WhimbrelError):
    """This machine's clock is not the broker's."""


class JournalWriter:
    """Appends batches, one at a time, each acknowledged by all copies."""

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        partition: int,
        transactional_id: str,
        patience: Patience,
        clock: Callable[[], Instant] | None = None,
        confirm: Confirm | None = None,
    ) -> None:
        """Name the journal; `fence` opens it.

        `clock`: it must agree with the broker's; None: others see to that. `confirm`: asked before each
        identity; None: no group has a say in it.
        """
        self.topic = topic
        self.partition = partition
        self._bootstrap = bootstrap
        self._transactional_id = transactional_id
        self._patience = patience
        self._clock = clock
        self._confirm = confirm
        self._producer: AIOKafkaProducer | None = None

    async def fence(self) -> int:
        """Shut every earlier writer out by appending a `~fence` record; return its offset.

        Raises `FenceError` where the broker refuses the transactional id, or does not fence.
        """
        first, second = await self._identity(), await self._identity()
        await self.close()
        self._producer = await self._open(second)
        offset = await self._append(self._fence_batch(self._producer))
        await self._probe(first)
        metrics.FENCES.inc()
        return offset

    async def append(self, changes: Mapping[bytes, bytes | None], commit: bytes) -> int:
        """Append the changes and the commit record as one record batch; return the commit record's offset."""
        if self._producer is None:
            raise FenceError(f"{self.topic}[{self.partition}]: appended to before it was fenced")
        batch = self._producer.create_batch()
        for key, value in changes.items():
            if batch.append(key=key, value=value, timestamp=None) is None:
                raise BatchTooLargeError
        # The first record of a batch is taken whatever its size.
        if batch.append(key=COMMIT_KEY, value=commit, timestamp=None) is None or batch.size() > BATCH_BYTES:
            raise BatchTooLargeError
        metrics.JOURNAL_RECORDS.inc(batch.record_count())
        return await self._append(batch) + len(changes)

    async def close(self) -> None:
        """Let go of the connection. Nothing may be in flight."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _append(self, batch: BatchBuilder) -> int:
        """Send a batch; return the offset of its first record."""
        if self._producer is None:
            raise FenceError(f"{self.topic}[{self.partition}]: appended to before it was fenced")
        asked = None if self._clock is None else self._clock()
        try:
            metadata = await self._acknowledged(self._producer, batch)
        except FENCED as error:
            raise TakenOverError(
                f"{self.topic}[{self.partition}]: another worker has taken the partition over; start this one again"
            ) from error
        if metadata.offset < 0:
            raise FenceError(f"{self.topic}[{self.partition}]: the broker knows the batch, but not where it is")
        if self._clock is not None and asked is not None:
            if metadata.timestamp < 0:
                raise FenceError(
                    f"{self.topic}: message.timestamp.type must be LogAppendTime, or nobody knows whether this clock is"
                    " right; whimbrel topics create says how to mend it"
                )
            _check_clock(asked, metadata.timestamp * MILLISECOND, self._clock())
        return int(metadata.offset)

    async def _acknowledged(self, producer: AIOKafkaProducer, batch: BatchBuilder) -> Any:
        """Send a batch through this producer; return what the broker says of it."""
        batch.close()  # an open batch might be joined by a later record
        future = await self._patience.sent(
            lambda: producer.send_batch(batch, self.topic, partition=self.partition), self.topic
        )
        return await self._patience.acknowledged(future, f"{self.topic}[{self.partition}]")

    async def _identity(self) -> PidAndEpoch:
        """Ask for the transactional id's next epoch; who has stood still must not: it would shut the new owner out."""

        def make() -> AIOKafkaProducer:
            producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, transactional_id=self._transactional_id)
            if self._confirm is not None:
                producer.client.send = partial(_send, self._confirm, producer.client, producer.client.send)
            return producer

        try:
            producer = await started(make, lambda client: client.stop(), self._bootstrap)
        except (TransactionalIdAuthorizationFailed, ClusterAuthorizationFailedError) as error:
            raise FenceError(
                f"no permission to fence: grant Write on TransactionalId {self._transactional_id}"
            ) from error
        identity = producer._txn_manager._pid_and_epoch  # noqa: SLF001 - aiokafka shows it nowhere else
        await producer.stop()
        return identity

    async def _open(self, identity: PidAndEpoch) -> AIOKafkaProducer:
        def make() -> AIOKafkaProducer:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap,
                enable_idempotence=True,
                acks="all",
                max_batch_size=BATCH_BYTES,
                max_request_size=REQUEST_BYTES,
            )
            producer._txn_manager._pid_and_epoch = identity  # noqa: SLF001 - or it would ask for one of its own
            return producer

        return await started(make, lambda client: client.stop(), self._bootstrap)

    def _fence_batch(self, producer: AIOKafkaProducer) -> BatchBuilder:
        batch = producer.create_batch()
        batch.append(key=FENCE_KEY, value=b"%d" % producer._txn_manager.producer_epoch, timestamp=None)  # noqa: SLF001
        return batch

    async def _probe(self, earlier: PidAndEpoch) -> None:
        """Append as an earlier writer would: the broker must refuse."""
        producer = await self._open(earlier)
        try:
            await self._acknowledged(producer, self._fence_batch(producer))
        except FENCED:
            return
        finally:
            await in_time(producer.stop())
        raise FenceError(
            f"{self.topic}[{self.partition}]: the broker does not fence earlier writers; Kafka >= 3.5 does"
        )


async def _send(
    confirm: Confirm,
    client: AIOKafkaClient,
    send: Callable[..., Awaitable[Any]],
    node: int,
    request: Any,
    *,
    group: ConnectionGroup = ConnectionGroup.DEFAULT,
) -> Any:
    """Send as the client does; an identity is asked for as the group's word holds, and nothing is waited for between.

    Raises NodeNotReadyError where the broker is not connected: the client looks for its coordinator anew.
    """
    if isinstance(request, InitProducerIdRequest):
        until = -math.inf
        while time.monotonic() >= until:
            if not await client.ready(node, group=group):
                raise NodeNotReadyError(node)
            until = await confirm()
        if not _connected(client, node, group):
            raise NodeNotReadyError(node)
    return await send(node, request, group=group)


def _connected(client: AIOKafkaClient, node: int, group: ConnectionGroup) -> bool:
    """Tell whether what is asked of the broker leaves at once."""
    connection = client._conns.get((node, group))  # noqa: SLF001 - its `ready` would connect, and wait
    return connection is not None and connection.connected()


def _check_clock(asked: Instant, appended: Instant, acknowledged: Instant) -> None:
    """Raise ClockOffError where the broker's time of an append lies more than 30 s outside of what it took here."""
    off = max(asked - appended, appended - acknowledged, 0) / SECOND
    if off > OFF_SECONDS:
        raise ClockOffError(
            f"this machine's clock is {off:,.0f} s off the broker's, more than {OFF_SECONDS:.0f}: set it, and"
            " start this worker again"
        )
