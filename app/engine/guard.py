"""The guard of the running system: how many each rule writes to within the hour, and when that is too many.

Every partition counts for itself, in rows, so that whoever owns it next counts on: DOMAIN.md, section 4 (Guard and kill
switch), ARCHITECTURE.md, section 5 (Guard).
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec.structs import replace

from app.contract.instants import MINUTE, Instant
from app.domain import keys
from app.domain.book import pack, unpacked
from app.domain.switches import Guard, Trip, TripId
from app.engine.gate import Gate
from app.engine.txn import Txn

LEAST: Final = 1_000
"""Recipients an hour, of all partitions together, that no rule is held for."""
PERCENT: Final = 5
"""Of the known accounts: above `LEAST`, so many."""
FLOOR: Final = 100
"""The least share of a partition, however many there are."""
HOUR_MINUTES: Final = 60

TRIPS: Final = b"guard/trip/"
SENT: Final = b"guard/sent/"


class Allowance(msgspec.Struct, frozen=True):
    """How many recipients a rule may write to in a sliding hour, in all partitions; None: by the known accounts."""

    max_per_hour: int | None = None
    partitions: int = 1

    def share(self, known: int) -> int:
        """Return one partition's share, which has `known` accounts."""
        whole = LEAST if self.max_per_hour is None else self.max_per_hour
        even = -(-whole // self.partitions)
        return max(FLOOR, even, known * PERCENT // 100 if self.max_per_hour is None else 0)


@dataclass
class Guarding:
    """What the guard needs beside rows: how much is too much, and who tells the others of a trip (repeats are none)."""

    allowance: Allowance
    tell: Callable[[Trip], None]

    def among(self, partitions: int) -> None:
        """Share the allowance among so many partitions from now on."""
        self.allowance = replace(self.allowance, partitions=partitions)


class Sent(msgspec.Struct, frozen=True):
    """Row `guard/sent/<rule>`: recipients by minute (of the epoch); `since`: the newest trip released when counted."""

    since: Instant
    minutes: dict[int, int]


_sent = msgspec.msgpack.Decoder(Sent).decode
_trip = msgspec.msgpack.Decoder(Trip).decode


def own_trips(txn: Txn) -> Iterator[tuple[bytes, Trip]]:
    """Yield (row key, trip) of what this partition has tripped over and the configuration was not yet seen to know."""
    for key, value in txn.scan(TRIPS):
        yield key, _trip(unpacked(key, value))


class CountingGate(Gate):
    """Counts what is sent in one batch of one partition, and trips before it is too much."""

    def __init__(self, guard: Guard, txn: Txn, partition: int, now: Instant, share: int) -> None:
        """`guard` is the configuration's; `share` what the partition allows a rule in the hour up to `now`."""
        super().__init__(guard)
        self._txn = txn
        self._partition = partition
        self._now = now
        self._share = share
        self._minutes: dict[str, dict[int, int]] = {}
        self._totals: dict[str, int] = {}
        self._touched: set[str] = set()
        self._own: list[TripId] | None = None

    def trips(self, rule: str) -> tuple[TripId, ...]:
        """Return the open trips: those of the configuration, and those of this partition that it does not know yet."""
        if self._own is None:
            self._own = [trip.id for _, trip in own_trips(self._txn) if not self._guard.knows(trip.id)]
        return (*self._guard.trips(rule), *(trip for trip in self._own if trip.rule == rule))

    def admits(self, rule: str, recipients: int) -> bool:
        """Say whether the rule stays within the share; where it would not, it trips."""
        wanted = self.sent(rule) + recipients
        if wanted > self._share:
            self._trip(rule, wanted)
        return wanted <= self._share

    def count(self, rule: str, recipients: int) -> None:
        """Count recipients in the minute of now; `close` writes it down."""
        self.sent(rule)
        minutes, minute = self._minutes[rule], self._now // MINUTE
        minutes[minute] = minutes.get(minute, 0) + recipients
        self._totals[rule] += recipients
        self._touched.add(rule)

    def sent(self, rule: str) -> int:
        """Return how many the rule has written to within the hour, whole minutes, and since its latest release."""
        if rule not in self._totals:
            self._minutes[rule] = self._within(self._txn.get(_sent_row(rule)), rule)
            self._totals[rule] = sum(self._minutes[rule].values())
        return self._totals[rule]

    def all_sent(self) -> dict[str, int]:
        """Return, by rule, how many were written to within the hour."""
        rules = [keys.account_of_row(key.removeprefix(SENT).decode()) for key, _ in self._txn.scan(SENT)]
        return {rule: self.sent(rule) for rule in rules}

    def foresee(self, rule: str, recipients: int) -> None:
        """Hold the rule where so many within the hour would be too many: before the first of them is written to."""
        if recipients > self._share:
            self._trip(rule, recipients)

    def _trip(self, rule: str, recipients: int) -> None:
        """Hold the rule from now on: the row is in effect with the batch, before anybody else is told."""
        if self.trips(rule):
            return
        known = (*(trip.id for trip in self._guard.open), *self._guard.released)
        mine = (each.instant for each in known if (each.rule, each.partition) == (rule, self._partition))
        # A worker's clock may stand still for a while (behind the broker's): an id must not come again.
        trip = Trip(TripId(rule, self._partition, max(self._now, 1 + max(mine, default=-1))), recipients, self._share)
        self._txn.put(_trip_row(trip.id), pack(trip))
        self._own = None
        self.tripped = True

    def close(self) -> None:
        """Write what was counted, and leave the trips that the configuration knows to it."""
        for rule in self._touched:
            self._txn.put(_sent_row(rule), pack(Sent(self._released(rule), self._minutes[rule])))
        for key, trip in own_trips(self._txn):
            if self._guard.knows(trip.id):
                self._txn.put(key, None)

    def _within(self, row: bytes | None, rule: str) -> dict[int, int]:
        if row is None:
            return {}
        sent = _sent(unpacked(_sent_row(rule), row))
        if sent.since != self._released(rule):  # a release begins the hour anew
            return {}
        first = self._now // MINUTE - HOUR_MINUTES
        return {minute: count for minute, count in sent.minutes.items() if minute >= first}

    def _released(self, rule: str) -> Instant:
        return max((trip.instant for trip in self._guard.released if trip.rule == rule), default=0)


class ForeseeingGate(Gate):
    """Lets through whatever another gate does not hold yet, and counts it."""

    def __init__(self, guard: Guard, gate: Gate) -> None:
        """Begin with nothing counted."""
        super().__init__(guard)
        self._gate = gate
        self.counts: Counter[str] = Counter()

    def trips(self, rule: str) -> tuple[TripId, ...]:
        """Return those of the other gate."""
        return self._gate.trips(rule)

    def count(self, rule: str, recipients: int) -> None:
        """Count recipients that the rule would write to."""
        self.counts[rule] += recipients


def _sent_row(rule: str) -> bytes:
    return SENT + keys.row_account(rule).encode()


def _trip_row(trip: TripId) -> bytes:
    return TRIPS + f"{keys.row_account(trip.rule)}|{trip.instant}".encode()
