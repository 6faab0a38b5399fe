"""Brings a partition's rows up to its journal's fence."""

from collections.abc import Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from app import metrics
from app.contract.instants import Instant
from app.engine.ports import StateUnusableError
from app.engine.records import COMMIT_KEY, Record, decode_commit
from app.engine.ticks import MILLISECOND
from app.streams.client import opened_consumer
from app.streams.store import RocksStore
from app.streams.topics import DELETE_RETENTION_MS

CHUNK_RECORDS: Final = 65_536
CHUNK_BYTES: Final = 16 << 20
"""About what is held of a journal before it is written: its partitions are restored in parallel."""
FETCH_BYTES: Final = 4 << 20
WAIT_MS: Final = 500
KEPT_FOR: Final = DELETE_RETENTION_MS * MILLISECOND // 2
"""A copy of the rows older than this may miss that a key was deleted: it is made anew (FAUST.md, traps)."""


async def restore(bootstrap: str, topic: str, partition: int, store: RocksStore, fence: int, now: Instant) -> None:
    """Read the journal from where `store` stands up to offset `fence`, in chunks that each keep their progress.

    Raises `StateUnusableError` where the rows and the journal do not belong together.
    """
    where = f"{topic}[{partition}]"
    if store.offset >= 0 and store.stamp < now - KEPT_FOR:
        store.wipe()
    _check_not_ahead(store, fence, where)
    incarnation = _incarnation(store)
    async with opened_consumer(bootstrap, FETCH_BYTES) as consumer:
        here = TopicPartition(topic, partition)
        consumer.assign([here])
        beginning = (await consumer.beginning_offsets([here]))[here]
        consumer.seek(here, max(store.offset + 1, beginning))
        while await consumer.position(here) <= fence:
            await _chunk(consumer, here, store, fence)
    if incarnation is not None:
        _check_same(store, incarnation, where)


def _check_not_ahead(store: RocksStore, fence: int, where: str) -> None:
    if store.offset >= fence:
        raise StateUnusableError(
            f"{where}: the rows in {store.path} contain record {store.offset}, but the journal ends at {fence}; it is"
            " not the journal that they come from: remove that directory to restore from this one"
        )


def _check_same(store: RocksStore, incarnation: str, where: str) -> None:
    if _incarnation(store) != incarnation:
        raise StateUnusableError(
            f"{where}: the rows in {store.path} come from another journal of this name: remove that directory to"
            " restore from this one"
        )


def _check_place(records: Sequence[Record], where: str) -> None:
    """A writer that has not seen its journal go writes on in the new one, where its batch is all there is."""
    last = next((record for record in reversed(records) if record.key == COMMIT_KEY), None)
    if last is None or last.value is None:
        return
    said = decode_commit(last.value).offset
    if said > last.offset:
        raise StateUnusableError(
            f"{where}: record {last.offset} was to be record {said}: the journal was made anew beneath a worker, and"
            " has a part of the state alone. Stop the workers, delete the topic, make it with whimbrel topics create"
        )


async def _chunk(consumer: AIOKafkaConsumer, here: TopicPartition, store: RocksStore, fence: int) -> None:
    """Write the next records with their progress: many together, for of a key that comes again only the last counts."""
    changes: dict[bytes, bytes | None] = {}
    count = size = offset = stamp = 0
    while count < CHUNK_RECORDS and size < CHUNK_BYTES and await consumer.position(here) <= fence:
        fetched = await consumer.getmany(timeout_ms=WAIT_MS, max_records=CHUNK_RECORDS - count)
        records = [record for record in fetched.get(here, ()) if record.offset <= fence]
        if records:
            changes.update((record.key, record.value) for record in records)
            _check_place(records, f"{here.topic}[{here.partition}]")
            count += len(records)
            size += sum(record.serialized_key_size + max(record.serialized_value_size, 0) for record in records)
            offset, stamp = records[-1].offset, records[-1].timestamp * MILLISECOND
    if count:
        store.write(changes, offset, stamp=stamp)
        metrics.RESTORED.inc(count)


def _incarnation(store: RocksStore) -> str | None:
    commit = store.get(COMMIT_KEY)
    return decode_commit(commit).incarnation if commit else None
