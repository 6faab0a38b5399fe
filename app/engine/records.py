"""What goes through a lane: input records, ticks, the cursor, outputs and the commit record."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec
from msgspec import Struct

from app.contract.instants import Instant

COMMIT_KEY = b"~commit"
FORMAT = 1

NOW_HEADER = "whimbrel-now"
LINE_HEADER = "whimbrel-line"
FROM_HEADER = "whimbrel-from"
BACKLOG_HEADER = "whimbrel-backlog"
ID_HEADER = "whimbrel-id"
REPLAY_HEADER = "whimbrel-replay"
"""Names the dead letter that a record is replayed of."""


class Record(Protocol):
    """A record of an input topic. aiokafka's ConsumerRecord is one as it stands: nothing is copied."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int:
        """Milliseconds since the epoch."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class PlainRecord(NamedTuple):
    """A record that comes from no Kafka client: a file's line, a test's fact."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Tick(Struct, frozen=True):
    """The partition has reached `instant`; it is processed at `now` (later than `instant` after a pause)."""

    instant: Instant
    now: Instant


class Cursor(Struct, frozen=True):
    """How far ticks are done. `after` None: the tick is completed.

    Else the cursor stands inside it: rows of accounts up to and including `after` (in row-key order) are done, the
    others are not yet: they stand at `earlier`, the instant of the tick completed before. Empty: none is done yet.
    """

    instant: Instant
    now: Instant
    after: str | None = None
    earlier: Instant = 0

    @property
    def completed(self) -> Instant:
        """The instant of the newest tick that is completed."""
        return self.instant if self.after is None else self.earlier


class Output(Struct, frozen=True, array_like=True):
    """A record to be sent once the batch that decided it is in the journal."""

    topic: str
    key: bytes | None
    value: bytes


class Commit(Struct, frozen=True, kw_only=True):
    """The last record of every journal batch: what was applied, and what is to be sent.

    Positions are the next offsets of the partition's input topics. `incarnation` names this journal: one made anew
    bears another, so its outputs are never taken for repeats of the old one's. `offset` is this record's own in the
    journal: with the incarnation, the partition and its index it makes an output's id. `config` is the offset of the
    configuration in force. (ARCHITECTURE.md, section 5.)
    """

    format: int = FORMAT
    incarnation: str
    offset: int = -1
    positions: dict[str, int]
    cursor: Cursor | None = None
    live_since: Instant | None = None
    config: int = -1
    outputs: Sequence[Output] = ()


encode_commit = msgspec.msgpack.Encoder().encode
decode_commit = msgspec.msgpack.Decoder(Commit).decode


def header(record: Record, name: str) -> bytes | None:
    """Return the value of the record's first header `name`, None where it has none."""
    for key, value in record.headers:
        if key == name:
            return value
    return None
