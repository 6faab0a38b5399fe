"""Reads what a partition's state is made of out of Kafka, and nothing else: no producer is opened here."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct

from app.config.record import read_record
from app.contract.instants import Instant
from app.domain.rules import Rulebook
from app.engine.dead_letters import DeadLetter
from app.engine.inputs import Fetch, Inputs
from app.engine.records import ID_HEADER, Commit, PlainRecord, Record, header
from app.engine.ticks import MILLISECOND, TickMark, read_tick
from app.errors import WhimbrelError
from app.rebuild.partition import Rebuild, Result, Snapshot, SnapshotInMaking
from app.rebuild.replay import RecordId, Refusal, refusals
from app.streams.client import newest, opened_consumer, stretch
from app.streams.names import Names
from app.streams.partitioner import partition_of
from app.streams.repeats import Repeats

WAIT_MS: Final = 500
FETCH_BYTES: Final = 1 << 20
BATCH: Final = 2_000
_END_OF_TIME: Final = 1 << 52
"""Milliseconds after every record's timestamp: no clock of ours bounds what was read long ago."""

_letter = msgspec.json.Decoder(DeadLetter).decode


class MissingError(WhimbrelError):
    """A part of the state cannot be rebuilt."""


class Plan(Struct, frozen=True, kw_only=True):
    """What is the same for every partition."""

    bootstrap: str
    names: Names
    rulebook: Rulebook
    external: bool
    lag: Instant
    """Microseconds between two ticks."""
    keep_missing: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """The topics of facts, and of those that were read a second time."""
        return self.names.facts if self.external else (*self.names.facts, self.names.replays)


async def rulebook_in_force(bootstrap: str, names: Names) -> Rulebook:
    """Return the configuration in force. Raises MissingError where none was applied."""
    record = await newest(bootstrap, names.config)
    if record is None or record.value is None:
        raise MissingError("no configuration has been applied yet, so there is no state: whimbrel config apply DIR")
    return read_record(record.value, record.timestamp * MILLISECOND, record.offset)


async def rebuilt(plan: Plan, partition: int, end: int | None = None) -> tuple[Snapshot, Result] | None:
    """Return the partition's state as its journal has it, and made anew; None where nothing was ever committed.

    `end`: the journal's offset to read up to, exclusive; None: its end of now. Raises MissingError, StateUnusableError.
    """
    async with opened_consumer(plan.bootstrap, FETCH_BYTES) as consumer:
        snapshot = await _snapshot(consumer, TopicPartition(plan.names.book_journal, partition), end)
        if snapshot is None:
            return None
        begins, missing = await _begins(consumer, plan, partition, snapshot)

        def belongs(owner: str) -> bool:
            return snapshot.partitions is None or partition_of(owner, snapshot.partitions) == partition

        rebuild = Rebuild(
            plan.rulebook,
            snapshot,
            await _marks(consumer, plan, partition, snapshot.commit),
            lag=plan.lag,
            external=plan.external,
            refused=await _refused(consumer, plan, partition, snapshot.commit),
            missing=missing,
            belongs=belongs,
        )
        async for record in _told(consumer, plan.names.decisions, partition, snapshot.commit):
            if belongs((record.key or b"").decode()):
                rebuild.memory.take(record.key, record.value or b"")
        await _read_facts(consumer, plan, partition, rebuild, begins)
        result = rebuild.compared()
        lost = ("events of {:,} accounts", len(result.kept)), ("lines of {:,} decisions", result.unsaid)
        lines = [
            f"  partition {partition}: {what.format(count)}, which no topic holds" for what, count in lost if count
        ]
        if lines and not plan.keep_missing:
            raise _missing(*lines)
        return snapshot, result


async def _snapshot(consumer: AIOKafkaConsumer, here: TopicPartition, end: int | None) -> Snapshot | None:
    making = SnapshotInMaking()
    if end is None:
        end = (await consumer.end_offsets([here]))[here]
    async for record in stretch(consumer, here, end):
        making.take(record.key or b"", record.value)
    return making.done()


async def _begins(
    consumer: AIOKafkaConsumer, plan: Plan, partition: int, snapshot: Snapshot
) -> tuple[Mapping[str, int], Sequence[str]]:
    """Return where the fact topics begin, and what is missing before that."""
    needed = [*plan.inputs, plan.names.decisions, *([plan.names.ticks] if plan.external else [])]
    here = [TopicPartition(topic, partition) for topic in needed]
    found = {tp.topic: offset for tp, offset in (await consumer.beginning_offsets(here)).items()}
    removed = {topic: begin for topic, begin in found.items() if begin > 0}
    lines = [f"  {topic}[{partition}]: records 0 to {begin - 1}" for topic, begin in sorted(removed.items())]
    if snapshot.partitions is not None:
        lines.append(
            f"  partition {partition}: what its accounts had in others, before there were {snapshot.partitions}"
        )
    if lines and not plan.keep_missing:
        raise _missing(*lines)
    ends = await consumer.end_offsets([TopicPartition(topic, partition) for topic in plan.inputs])
    for (topic, _), end in ends.items():
        position = snapshot.commit.positions.get(topic, 0)
        if end < position:
            raise MissingError(
                f"{topic}[{partition}]: records up to {position} were processed, and the topic ends at {end}: it was"
                " made anew, and what the state was made of is not there any more"
            )
        if found[topic] > position:
            raise MissingError(
                f"{topic}[{partition}]: records from {position} on were not processed, and the topic begins at"
                f" {found[topic]}: see docs/operations.md, Lost input"
            )
    topics = plan.inputs if snapshot.partitions is not None else tuple(sorted(removed.keys() - {plan.names.decisions}))
    begins = {topic: found[topic] for topic in plan.inputs}
    return begins, topics


def _missing(*lines: str) -> MissingError:
    return MissingError(
        "what a part of the state was made of is not there any more:\n"
        + "\n".join(lines)
        + "\naccounts with events among these, and decisions without a line, cannot be rebuilt; with --keep-missing"
        " they keep the rows that they have, and the others are rebuilt"
    )


async def _marks(consumer: AIOKafkaConsumer, plan: Plan, partition: int, commit: Commit) -> list[TickMark]:
    """Return the ticks that there are up to the snapshot's."""
    here = TopicPartition(plan.names.ticks, partition)
    cursor = commit.cursor
    if cursor is None:
        return []
    end = min(commit.positions[plan.names.ticks], (await consumer.end_offsets([here]))[here])
    marks = [read_tick(record) async for record in stretch(consumer, here, end)]
    return [mark for mark in marks if mark.tick.instant <= cursor.instant]


async def _refused(
    consumer: AIOKafkaConsumer, plan: Plan, partition: int, commit: Commit
) -> Mapping[RecordId, Refusal]:
    """Return which records were dead-lettered."""
    told = _told(consumer, plan.names.dead_letters, partition, commit)
    return refusals([(record.key, _letter(record.value or b"")) async for record in told])


async def _told(consumer: AIOKafkaConsumer, topic: str, partition: int, commit: Commit) -> AsyncIterator[Record]:
    """Yield what was sent to the topic up to the commit, what the commit was about to send included; no repeats."""
    here, repeats = TopicPartition(topic, partition), Repeats()
    end = (await consumer.end_offsets([here]))[here]
    async for record in stretch(consumer, here, end):
        if repeats.is_new(record) and not _is_later(record, partition, commit):
            yield record
    for number, output in enumerate(commit.outputs):
        told = f"{commit.incarnation}/{partition}/{commit.offset}/{number}".encode()
        record = PlainRecord(topic, partition, -1, 0, output.key, output.value, ((ID_HEADER, told),))
        if output.topic == topic and repeats.is_new(record):
            yield record


def _is_later(record: Record, partition: int, commit: Commit) -> bool:
    """Whether the output was sent by a batch after the commit, of a worker that has gone on meanwhile."""
    told = header(record, ID_HEADER)
    if told is None:
        return False
    journal, offset, _ = told.decode().rsplit("/", 2)
    return journal == f"{commit.incarnation}/{partition}" and int(offset) > commit.offset


async def _read_facts(
    consumer: AIOKafkaConsumer, plan: Plan, partition: int, rebuild: Rebuild, begins: Mapping[str, int]
) -> None:
    """Read the facts below the snapshot's positions, merged as its lane has merged them."""
    ends = {topic: rebuild.snapshot.commit.positions.get(topic, 0) for topic in plan.inputs}
    inputs = Inputs(begins)
    here = {TopicPartition(topic, partition): end for topic, end in ends.items()}
    consumer.assign(list(here))
    for tp in here:
        consumer.seek(tp, begins[tp.topic])
    reached = dict(begins)
    for topic, end in ends.items():
        inputs.feed(Fetch(topic, begins[topic], begins[topic], (), end, 0.0))  # so that an empty one is known to be
    while any(reached[topic] < end for topic, end in ends.items()):
        wanted = [tp for tp, end in here.items() if reached[tp.topic] < end and inputs.wants(tp.topic)]
        fetched = await consumer.getmany(*wanted, timeout_ms=WAIT_MS) if wanted else {}
        for tp in wanted:
            position = min(await consumer.position(tp), here[tp])
            records = [record for record in fetched.get(tp, ()) if record.offset < here[tp]]
            inputs.feed(Fetch(tp.topic, reached[tp.topic], position, records, here[tp], 0.0))
            reached[tp.topic] = position
        _merge(plan, inputs, ends, rebuild)
    _merge(plan, inputs, ends, rebuild)


def _merge(plan: Plan, inputs: Inputs, ends: Mapping[str, int], rebuild: Rebuild) -> None:
    while taken := _taken(plan, inputs, ends):
        rebuild.replay.read(taken)
        inputs.keep()


def _taken(plan: Plan, inputs: Inputs, ends: Mapping[str, int]) -> Sequence[Record]:
    return inputs.take_by_line(BATCH, ends) if plan.external else inputs.take_by_time(BATCH, _END_OF_TIME, 0.0)
