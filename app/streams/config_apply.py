"""Puts a configuration in force: one record on `whimbrel.config` (ARCHITECTURE.md section 5, Configuration)."""

from dataclasses import dataclass

from app.config.changes import changes
from app.config.check import Config
from app.config.record import EFFECTIVE_AFTER, KEY, next_record, read_config
from app.contract.instants import Instant
from app.engine.records import Record
from app.errors import WhimbrelError
from app.streams.client import append, newest


class ApplyError(WhimbrelError):
    """The configuration was not put in force, or not alone."""


@dataclass(frozen=True)
class Applied:
    """What an apply did: a line for each rule and company that changed; in force everywhere at `effective`."""

    changes: list[str]
    offset: int
    effective: Instant


async def apply(bootstrap: str, topic: str, wanted: Config, *, as_written: bool) -> Applied | None:
    """Append the record that puts `wanted` in force; None where it is already.

    Raises ApplyError where another apply wrote at the same time, TopicMissingError, KafkaAwayError.
    """
    before = await newest(bootstrap, topic)
    value, at = (None, 0) if before is None else (before.value, _instant(before))
    record = next_record(value, at, wanted, as_written=as_written)
    if record is None:
        return None
    offset = await append(bootstrap, topic, KEY, record)
    after = await newest(bootstrap, topic)
    if after is None or after.offset != offset or (before is not None and offset != before.offset + 1):
        raise ApplyError("another apply wrote at the same time, and the later of the two counts: run yours again")
    at_last = _instant(after)
    lines = changes(read_config(value, at), read_config(after.value, at_last))
    return Applied(lines, offset, at_last if as_written else at_last + EFFECTIVE_AFTER)


def _instant(record: Record) -> Instant:
    return record.timestamp * 1_000
