"""Faust's consumer, feeding lanes: whole fetches, with the positions they begin and end at, one partition at a time.

What Faust does between a fetch and an agent (queues, events, acks, gaps, commits) is where it loses records around
rebalances (FAUST.md, L3 to L5). None of it is used: `_feed_lanes` calls lanes straight from the fetch, and positions
are the lanes' own. What is left of Faust here is the group: membership, heartbeats in a thread of their own, the
sticky co-partitioning assignor.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final

import aiokafka
from aiokafka.errors import (
    CommitFailedError,
    GroupAuthorizationFailedError,
    IllegalStateError,
    InvalidSessionTimeoutError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    UnknownError,
)
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types.tuples import TP
from mode import Service
from mode.threads import MethodQueue

from app import clock
from app.contract.instants import SECOND
from app.engine.inputs import Fetch
from app.engine.ports import StateUnusableError
from app.errors import WhimbrelError
from app.streams.client import PATIENCE_SECONDS, KafkaAwayError, started
from app.streams.lanes import Lanes

log = logging.getLogger(__name__)

FETCH_WAIT_MS: Final = 100
FETCH_BYTES: Final = 1 << 20
POLL_SECONDS: Final = 0.1
NOTHING_WANTED_SECONDS: Final = 0.01
METADATA_MS: Final = 5_000
"""A group whose leader did not hear of its topics in time has no partitions until the leader looks again."""
NO_GENERATION: Final = driver.DEFAULT_GENERATION_ID

MENDS: Final[Mapping[type[KafkaError], str]] = {
    GroupAuthorizationFailedError: "; grant Read on the group",
    InvalidSessionTimeoutError: "; set WHIMBREL_SESSION_SECONDS to what the brokers allow (group.*.session.timeout.ms)",
}
FENCED_INSTANCE: Final = repr(UnknownError())
"""What aiokafka makes of error 82, FENCED_INSTANCE_ID, and of others that it does not know: it wraps this up."""
FENCED: Final = "; does another worker run under the same WHIMBREL_WORKER?"

Partition = tuple[str, int]


class GroupError(WhimbrelError):
    """The group does not take this worker as a member, or its client cannot be one."""


class MembershipLostError(WhimbrelError):
    """The group has taken this worker for dead: others own its partitions by now."""


class LaneThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The thread in which aiokafka's consumer lives."""

    logger = logging.getLogger("faust.consumer")

    def __init__(self, *args: Any, **options: Any) -> None:
        """Make the queue of its calls here: made by whoever asks first, it is made twice where two threads ask at once.

        `_feed_lanes` begins while the thread is starting; one of the queues would never be worked off, and nothing
        ever fetched.
        """
        super().__init__(*args, **options)
        self._method_queue = MethodQueue(loop=self.thread_loop, beacon=self.beacon)

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        """Make the consumer: as Faust does, but read_committed, never reset, and with short waits."""
        conf = self.app.conf
        self._assignor = self.app.assignor
        return aiokafka.AIOKafkaConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id,
            bootstrap_servers=driver.server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_poll_records=None,
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1_000),
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            metadata_max_age_ms=METADATA_MS,
            session_timeout_ms=int(conf.broker_session_timeout * 1_000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1_000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1_000),
        )

    async def on_start(self) -> None:
        """Start the consumer: a broker that is away is waited for, as everywhere."""
        servers = driver.server_list(self.transport.url, self.transport.default_port)
        self.time_started = time.monotonic()
        self._consumer = await started(
            lambda: self._create_consumer(loop=self.thread_loop),
            lambda consumer: consumer.stop(),
            ",".join(servers),
        )

    async def poll(self, wanted: set[Partition], seeks: Mapping[Partition, int]) -> list[tuple[int, Fetch]]:
        """Go to the positions of `seeks`, then fetch; return (partition, fetch) for each of `wanted`.

        Positions are read right before and after, in the one thread that moves them: a fetch says truly what it covers,
        whatever becomes of it afterwards.
        """
        consumer = self._ensure_consumer()
        self._heed(consumer)
        subscription = consumer._subscription.subscription  # noqa: SLF001 - aiokafka shows no positions without asking
        assignment = subscription.assignment if subscription is not None else None
        if assignment is None or not assignment.active:
            await asyncio.sleep(POLL_SECONDS)
            return []
        for tp, offset in seeks.items():
            if TP(*tp) in assignment.tps:
                consumer.seek(TP(*tp), offset)
        states = {tp: assignment.state_value(TP(*tp)) for tp in wanted if TP(*tp) in assignment.tps}
        begins = {tp: state.position for tp, state in states.items() if state.has_valid_position}
        fetcher = consumer._fetcher  # noqa: SLF001 - getmany() hides that an empty set means everything
        with fetcher._subscriptions.fetch_context():  # noqa: SLF001 - counts as activity of this member
            try:
                fetched = await _fetched(fetcher, {TP(*tp) for tp in begins})
            except NoOffsetForPartitionError:
                return []  # of the moment before the first seek; the group's offsets are not used
            except OffsetOutOfRangeError as error:
                raise StateUnusableError(f"the log no longer has what comes next: {error}") from error
        if not _is_current(consumer, subscription, assignment):
            return []  # what came is another assignment's, and begins elsewhere
        now, mono = clock.now(), time.monotonic()
        return [
            (
                tp[1],
                Fetch(
                    tp[0],
                    begin,
                    states[tp].position,
                    fetched.get(TP(*tp), ()),
                    states[tp].lso,
                    mono - (now / SECOND - states[tp].timestamp / 1_000) if states[tp].timestamp else 0.0,
                ),
            )
            for tp, begin in begins.items()
            if states[tp].has_valid_position
        ]

    def _heed(self, consumer: aiokafka.AIOKafkaConsumer) -> None:
        """Raise GroupError for what keeps this member out of its group: aiokafka waits with it until it is asked."""
        try:
            consumer._coordinator.check_errors()  # noqa: SLF001 - asked by what this poll leaves out
        except KafkaError as error:
            if error.retriable:
                log.warning("the group's client tries again", extra={"error": repr(error)})
                return
            raise self._refused(error) from error

    def _refused(self, error: KafkaError) -> GroupError:
        """Say why the group does not take this member, and what mends it."""
        mend = FENCED if FENCED_INSTANCE in str(error) else MENDS.get(type(error), "")
        return GroupError(f"cannot be a member of group {self.app.conf.id}: {error}{mend}")

    @property
    def lost(self) -> bool:
        """Say whether the group has expelled this member."""
        return bool(self._ensure_consumer()._coordinator.generation == NO_GENERATION)  # noqa: SLF001

    async def confirm(self, generation: int) -> float:
        """Ask the group whether this member's assignment of that generation is in force; raise MembershipLostError.

        A process that has stood still does not know for how long: its next heartbeat may be seconds away, and whatever
        it says until then comes after its successor's. So the group's word holds from when it was asked for as long as
        the group waits for a member: until the `time.monotonic()` that is returned. (Amid a rebalance it has been
        waiting already, nobody here knows for how long.) Raises GroupError where the group does not take this member,
        and KafkaAwayError where it does not answer for 60 s.
        """
        coordinator = self._ensure_consumer()._coordinator  # noqa: SLF001 - aiokafka asks only when it is time to
        ask = coordinator._do_heartbeat  # noqa: SLF001
        conf = self.app.conf
        waits: float = min(conf.broker_session_timeout, conf.broker_rebalance_timeout)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while coordinator.generation == generation:
                    until = time.monotonic() + waits
                    if await ask() and coordinator.generation == generation:
                        return until
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError as error:
            raise KafkaAwayError(
                f"no answer from the coordinator of group {self.app.conf.id} for {PATIENCE_SECONDS:.0f} s"
            ) from error
        except KafkaError as error:
            raise self._refused(error) from error
        raise MembershipLostError

    async def hint(self, positions: Mapping[Partition, int]) -> None:
        """Tell the group how far the lanes are, for tools that show lag; nothing here reads it back."""
        offsets = {TopicPartition(*tp): OffsetAndMetadata(position, "") for tp, position in positions.items()}
        try:
            await self._ensure_consumer().commit(offsets)
        except (CommitFailedError, IllegalStateError, KafkaError) as error:
            log.info("the group's offsets were not updated", extra={"error": type(error).__name__})


async def _fetched(fetcher: Any, wanted: set[TP]) -> Mapping[TP, Sequence[Any]]:
    """Return what has come of these partitions; an empty set is nothing here, and to aiokafka everything."""
    if not wanted:
        await asyncio.sleep(NOTHING_WANTED_SECONDS)
        return {}
    fetched: Mapping[TP, Sequence[Any]] = await fetcher.fetched_records(wanted, timeout=POLL_SECONDS)
    return fetched


def _is_current(consumer: aiokafka.AIOKafkaConsumer, subscription: Any, assignment: Any) -> bool:
    """Tell whether no rebalance has come in between."""
    current = consumer._subscription.subscription  # noqa: SLF001 - as in `LaneThread.poll`
    return current is subscription and subscription.assignment is assignment


class LaneConsumer(driver.Consumer):  # type: ignore[misc]
    """Hands fetches to lanes, and assignments and revocations to whoever opens and closes them."""

    logger = logging.getLogger("faust.consumer")
    lanes: Lanes
    _thread: LaneThread

    def _new_consumer_thread(self) -> LaneThread:
        return LaneThread(self, loop=self.loop, beacon=self.beacon)

    @Service.task  # type: ignore[untyped-decorator]
    async def _feed_lanes(self) -> None:
        try:
            while not self.should_stop:
                fetches = await self._thread.call_thread(
                    self._thread.poll, self.lanes.wanted(), self.lanes.take_seeks()
                )
                for partition, fetch in fetches:
                    self.lanes.feed(partition, fetch)
        except Exception as error:  # noqa: BLE001 - whatever it is, the process ends with it
            self.lanes.fail(error)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Close the lanes before anyone else gets their partitions."""
        if revoked and self._thread.lost:
            self.lanes.fail(MembershipLostError())
        await self.lanes.close()

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Have lanes opened, for every partition: one that was kept may have had another owner in between."""
        await self.lanes.close()
        self.lanes.assigned(((tp.topic, tp.partition) for tp in assigned), partial(self._confirm, generation_id))
        self.app.on_rebalance_end()

    async def _confirm(self, generation: int) -> float:
        """Ask in the consumer's thread, past the queue of its calls: polls do not wait behind many lanes' questions."""
        asking = asyncio.run_coroutine_threadsafe(self._thread.confirm(generation), self._thread.thread_loop)
        return await asyncio.wrap_future(asking)

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: FBT001, FBT002
        """Update the group's offsets, as a hint for tools."""
        del topics, start_new_transaction
        positions = {
            (topic, partition): position
            for partition, lane in self.lanes.running.items()
            for topic, position in lane.positions.items()
        }
        if positions and not self.app.rebalancing:
            await self._thread.call_thread(self._thread.hint, positions)
        return bool(positions)

    async def crash(self, reason: BaseException) -> None:
        """End the process: a consumer that has failed would only fall silent."""
        self.lanes.fail(reason)

    async def verify_all_partitions_active(self) -> None:
        """Leave out Faust's check of its own event path, which nothing goes through."""

    async def on_stop(self) -> None:
        """Leave without a last commit: the lanes are closed, their positions are in their journals."""


class LaneTransport(driver.Transport):  # type: ignore[misc]
    """Faust's transport with our consumer."""

    Consumer: ClassVar[type[LaneConsumer]] = LaneConsumer
