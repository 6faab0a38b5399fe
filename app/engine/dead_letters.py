"""The topic dead-letters: where an input lies that cannot be processed, and why. Never its payload.

Every partition counts its letters by the hour, in a row, so that whoever owns it next counts on: where there are too
many the fault is rather with the worker, or with whoever publishes, and the worker stops instead of parking them all.
"""

import re
from typing import Final, Literal, NamedTuple

import msgspec

from app import metrics
from app.contract.instants import MINUTE, Instant, format_instant
from app.domain.book import pack, unpacked
from app.engine.records import REPLAY_HEADER, Record, header
from app.engine.txn import Txn
from app.errors import WhimbrelError

FORMAT = 1
NO_OFFSET: Final = -1
HOUR_MINUTES: Final = 60
COUNT: Final = b"letters/hour/"
NAME: Final = re.compile(r"([A-Za-z0-9._-]{1,249})/([0-9]{1,10})/([0-9]{1,19})")

State = Literal["open", "replayed", "dropped", "resumed"]


class TooManyDeadLettersError(WhimbrelError):
    """A partition has parked as many inputs within an hour as an operator allows."""


class Place(NamedTuple):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        """Return the name of a letter about it: `billing.events/3/1042`."""
        return "/".join(map(str, self))


def place_of(name: str) -> Place | None:
    """Return the place that a letter's name tells, None where it tells none."""
    found = NAME.fullmatch(name)
    return None if found is None else Place(found[1], int(found[2]), int(found[3]))


def origin_of(record: Record) -> str | None:
    """Return the name of the letter that the record is replayed of, None where it is of none.

    Whoever publishes may set any header: what is no name does not come into a letter.
    """
    told = (header(record, REPLAY_HEADER) or b"").decode(errors="replace")
    return told if place_of(told) else None


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """Coordinates for replay; `field` is a path like data.time_zone, empty for the whole record; `at` RFC 3339.

    `origin` is set where the record was a copy, replayed already: the first letter's name, which tells where the
    original lies. `account` is set where no record but a tick raised over an account: then `topic` is the ticks',
    `offset` is -1.
    A later letter of the same coordinates, in another state, closes the first: `by` whom, and with what `note`.
    """

    format: int = FORMAT
    topic: str
    partition: int
    offset: int
    field: str
    reason: str
    at: str
    origin: str | None = None
    account: str | None = None
    state: State = "open"
    by: str | None = None
    note: str | None = None


def name_of(letter: DeadLetter) -> str:
    """Return a letter's name: the coordinates, of an account its id in place of an offset."""
    if letter.account is not None:
        return f"{letter.topic}/{letter.partition}/{letter.account}"
    return str(Place(letter.topic, letter.partition, letter.offset))


class Hour(msgspec.Struct, frozen=True):
    """Row `letters/hour/`: dead letters by minute (of the epoch)."""

    minutes: dict[int, int]


def kind_of(reason: str) -> str:
    """Return what a reason begins with: `handler`, `too_large`, else `contract`."""
    kind = reason.partition(":")[0]
    return kind if kind in {"handler", "too_large"} else "contract"


encode_letter = msgspec.json.Encoder().encode
_hour = msgspec.msgpack.Decoder(Hour).decode


class DeadLetters:
    """Parks inputs of one app."""

    def __init__(self, topic: str, per_hour: int | None = None) -> None:
        """Write to `topic`; of one partition at most `per_hour` in a sliding hour, None: without end."""
        self._topic = topic
        self._per_hour = per_hour

    def park(self, txn: Txn, record: Record, field: str, reason: str, now: Instant) -> None:
        """Dead-letter `record`; `reason` must not quote it. Raises TooManyDeadLettersError."""
        letter = DeadLetter(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            field=field,
            reason=reason,
            at=format_instant(now),
            origin=origin_of(record),
        )
        self._count(txn, letter, now)
        self.send(txn, record.key, letter)

    def park_account(self, txn: Txn, letter: DeadLetter, key: bytes, now: Instant) -> None:
        """Say that an account is passed over. Raises TooManyDeadLettersError."""
        self._count(txn, letter, now)
        self.send(txn, key, letter)

    def send(self, txn: Txn, key: bytes | None, letter: DeadLetter) -> None:
        """Send a letter that is not counted: it closes another."""
        txn.send(self._topic, key, encode_letter(letter))

    def _count(self, txn: Txn, letter: DeadLetter, now: Instant) -> None:
        value = txn.get(COUNT)
        minute = now // MINUTE
        known = {} if value is None else _hour(unpacked(COUNT, value)).minutes
        minutes = {each: count for each, count in known.items() if each >= minute - HOUR_MINUTES}
        if self._per_hour is not None and sum(minutes.values()) >= self._per_hour:
            raise TooManyDeadLettersError(
                f"partition {letter.partition}: {sum(minutes.values())} dead letters within an hour, and "
                f"{letter.topic}@{letter.offset} would be one more ({letter.reason}): the worker stops instead of "
                "parking the rest. Nothing is lost. Look at them with: whimbrel dead-letters list; mend what writes "
                "or reads such records, and start again. To park more, set WHIMBREL_DEAD_LETTERS_PER_HOUR higher"
            )
        txn.put(COUNT, pack(Hour(minutes | {minute: minutes.get(minute, 0) + 1})))
        metrics.DEAD_LETTERS.labels(kind_of(letter.reason)).inc()
