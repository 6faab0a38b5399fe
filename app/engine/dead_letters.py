"""The records of the topic dead-letters: where an input lies that cannot be processed, and why. Never its payload."""

import msgspec

from app.contract.instants import Instant, format_instant
from app.engine.records import Record

FORMAT = 1


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """Coordinates for replay; `field` is a path like data.time_zone, empty for the whole record; `at` RFC 3339."""

    format: int = FORMAT
    topic: str
    partition: int
    offset: int
    field: str
    reason: str
    at: str


_encode = msgspec.json.Encoder().encode


def dead_letter(record: Record, field: str, reason: str, at: Instant) -> bytes:
    """Return the dead letter of `record`; `reason` must not quote it."""
    return _encode(
        DeadLetter(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            field=field,
            reason=reason,
            at=format_instant(at),
        )
    )
