"""Accounts over which a tick has raised: they stand aside while all others go on.

A parked account's clock stays where it was. Ticks pass it over; they try it again when a worker takes the partition
over, under another configuration, and once an hour. Then what it has missed is decided, late (DOMAIN.md, section 4).
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from app.contract.instants import HOUR, Instant, format_instant
from app.domain import keys
from app.domain.book import pack, unpacked
from app.domain.rules import Rulebook
from app.engine.dead_letters import NO_OFFSET, DeadLetter, State
from app.engine.txn import Txn
from app.errors import WhimbrelError

PREFIX: Final = b"parked/"
AGAIN: Final = HOUR
MOST: Final = 1_000
"""Of one partition: more are no accident of single accounts."""


class TooManyParkedError(WhimbrelError):
    """A partition has more parked accounts than could be an accident."""


class Parked(msgspec.Struct, frozen=True):
    """Row `parked/<id>/`: its moments before `clock` have come up; not tried before `again`."""

    clock: Instant
    reason: str
    again: Instant


_parked = msgspec.msgpack.Decoder(Parked).decode


def parked_accounts(txn: Txn) -> dict[str, Parked]:
    """Return the partition's parked accounts by their row ids."""
    return {key.removeprefix(PREFIX)[:-1].decode(): _parked(unpacked(key, value)) for key, value in txn.scan(PREFIX)}


def letter_of(row_id: str, topic: str, partition: int, reason: str, now: Instant, state: State) -> DeadLetter:
    """Return the dead letter of a parked account; `topic` is the ticks'."""
    return DeadLetter(
        topic=topic,
        partition=partition,
        offset=NO_OFFSET,
        field="",
        reason=reason,
        at=format_instant(now),
        account=keys.owner(keys.account_of_row(row_id)),
        state=state,
    )


def key_of(row_id: str) -> bytes:
    """Return the Kafka key of the account's records."""
    return keys.owner(keys.account_of_row(row_id)).encode()


class Tried:
    """Which parked accounts need not be tried again yet: kept in memory, so that a new owner tries them all."""

    def __init__(self) -> None:
        """Have tried none."""
        self._under: dict[str, Rulebook] = {}

    def due(self, parked: Mapping[str, Parked], rulebook: Rulebook, now: Instant) -> set[str]:
        """Return the row ids of those to be tried now."""
        return {each for each, row in parked.items() if row.again <= now or self._under.get(each) is not rulebook}

    def fail(self, txn: Txn, row_id: str, row: Parked, rulebook: Rulebook, now: Instant) -> None:
        """Park the account, or leave it parked, until it is to be tried again. Raises TooManyParkedError."""
        self._under[row_id] = rulebook
        txn.put(_row(row_id), pack(replace(row, again=now + AGAIN)))
        if len(txn.scan(PREFIX)) > MOST:
            raise TooManyParkedError(
                f"ticks raise over more than {MOST} accounts of a partition, the latest: {row.reason}. The worker "
                "stops: mend what raises, and start again"
            )

    def succeed(self, txn: Txn, row_id: str) -> None:
        """Let the account go on with all others."""
        self._under.pop(row_id, None)
        txn.put(_row(row_id), None)


def _row(row_id: str) -> bytes:
    return PREFIX + f"{row_id}/".encode()
