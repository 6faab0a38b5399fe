"""The journals of the two apps while partitions grow: who may write them, how far they are, what is unfinished."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct

from app.engine.records import COMMIT_KEY, ID_HEADER, Commit, decode_commit, header
from app.growth.placing import Owner
from app.streams.client import stretch
from app.streams.opening import MOVING_KEY

TAIL: Final = 200
"""Records at a topic's end among which the last output of a partition is looked for."""
ENGINE: Final = b"~"


class Table(Struct, frozen=True, kw_only=True):
    """One app's journal, and what its lanes read."""

    app: str
    journal: str
    owner_of: Owner
    forwarded: Sequence[str] = ()
    """Topics of which what is unread can be read by another partition's lane: copies of it go there."""
    drained: Sequence[str]
    """Topics of which everything must have been read before partitions are added, `forwarded` among them."""
    read: Sequence[str]
    """Topics for which a commit record has a position."""
    clocked: bool = False

    @property
    def bound(self) -> Sequence[str]:
        """Topics of which nothing may be unread when rows move: they are drained, and not forwarded."""
        return [topic for topic in self.drained if topic not in self.forwarded]


class Unread(NamedTuple):
    """What a lane has still to read of a topic: the offsets from `begin` to `end`, exclusive."""

    here: TopicPartition
    begin: int
    end: int


class Head(Struct, frozen=True):
    """Where a journal stands: its rows, its commit record as it was `written`, and its mark, if it has one."""

    rows: dict[bytes, bytes]
    written: bytes | None
    mark: bytes | None

    @property
    def commit(self) -> Commit | None:
        """How far the partition is; None where no worker has ever had it."""
        return None if self.written is None else decode_commit(self.written)


async def head(consumer: AIOKafkaConsumer, table: Table, partition: int) -> Head:
    """Read a journal to its end."""
    here = TopicPartition(table.journal, partition)
    end = (await consumer.end_offsets([here]))[here]
    rows: dict[bytes, bytes] = {}
    async for record in stretch(consumer, here, end):
        key = record.key or b""
        if record.value is None:
            rows.pop(key, None)
        else:
            rows[key] = record.value
    written = rows.get(COMMIT_KEY)
    mark = rows.get(MOVING_KEY)
    return Head({key: value for key, value in rows.items() if not key.startswith(ENGINE)}, written, mark)


async def unread(consumer: AIOKafkaConsumer, topics: Sequence[str], partition: int, commit: Commit) -> list[Unread]:
    """Return what the partition's lane has still to read of these topics, by now, in their order."""
    places = [TopicPartition(topic, partition) for topic in topics]
    ends = await consumer.end_offsets(places) if places else {}
    left = [Unread(here, commit.positions.get(here.topic, 0), ends[here]) for here in places]
    return [each for each in left if each.begin < each.end]


async def unsent(consumer: AIOKafkaConsumer, partition: int, commit: Commit) -> list[str]:
    """Say which of the last batch's outputs are not in their topics: whoever opens the partition next sends them."""
    newest = {output.topic: number for number, output in enumerate(commit.outputs)}
    left = []
    for topic, number in newest.items():
        wanted = f"{commit.incarnation}/{partition}/{commit.offset}/{number}".encode()
        if not await _is_there(consumer, TopicPartition(topic, partition), wanted):
            left.append(f"{topic}[{partition}]: what was decided last is not sent yet")
    return left


async def _is_there(consumer: AIOKafkaConsumer, here: TopicPartition, wanted: bytes) -> bool:
    begin = (await consumer.beginning_offsets([here]))[here]
    end = (await consumer.end_offsets([here]))[here]
    found = [header(record, ID_HEADER) async for record in stretch(consumer, here, end, max(begin, end - TAIL))]
    return wanted in found
