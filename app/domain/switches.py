"""What operators hold back beside the rules: kill switches, and what the guard has tripped over (DOMAIN.md, section 4).

Data that goes from record to record of `whimbrel.config`, and how it changes. A decision held by the guard remembers
the trips that it was held under; it stays held until a release has named each of them (ARCHITECTURE.md, section 5).
"""

from collections.abc import Collection

from msgspec import Struct
from msgspec.structs import replace

from app.contract.instants import Instant


class Kill(Struct, frozen=True, omit_defaults=True):
    """Everything but criticals is held: of every company, or of those named (sorted)."""

    all: bool = False
    companies: tuple[str, ...] = ()

    def holds(self, company: str | None) -> bool:
        """Whether the notifications of the company (None: one not known yet) are held."""
        return self.all or company in self.companies

    def switched(self, company: str | None, *, on: bool) -> "Kill":
        """Return the switches with the company's (None: the global one) on or off; the others stay as they are."""
        if company is None:
            return replace(self, all=on)
        others = set(self.companies) - {company}
        return replace(self, companies=tuple(sorted(others | {company} if on else others)))


class TripId(Struct, frozen=True, order=True):
    """A rule was about to send too much in a partition at an instant."""

    rule: str
    partition: int
    instant: Instant


class Trip(Struct, frozen=True):
    """One time that the guard tripped: the rule is held as a whole, everywhere, until the trip is released.

    `recipients` is what the rule would have written to in the sliding hour, `limit` the partition's share.
    """

    id: TripId
    recipients: int
    limit: int


class Guard(Struct, frozen=True, omit_defaults=True):
    """The trips not yet released, and the ids of those that were: both sorted by id."""

    open: tuple[Trip, ...] = ()
    released: tuple[TripId, ...] = ()

    def trips(self, rule: str) -> tuple[TripId, ...]:
        """Return the ids of the rule's open trips: a decision made now is held under them, if there are any."""
        return tuple(trip.id for trip in self.open if trip.id.rule == rule)

    def frees(self, trips: Collection[TripId]) -> bool:
        """Whether what is held under the trips is free: a trip that is not known yet is not released either."""
        return set(trips) <= set(self.released)

    def knows(self, trip: TripId) -> bool:
        """Whether the trip was told of, be it open or released."""
        return trip in self.released or any(known.id == trip for known in self.open)

    def tripped(self, trip: Trip) -> "Guard":
        """Return the guard with the trip; one that is known already, released or not, changes nothing."""
        if self.knows(trip.id):
            return self
        return replace(self, open=tuple(sorted((*self.open, trip), key=lambda known: known.id)))

    def release(self, trips: Collection[TripId]) -> "Guard":
        """Return the guard with those of its open trips released that are named."""
        named = {trip.id for trip in self.open} & set(trips)
        return Guard(
            open=tuple(trip for trip in self.open if trip.id not in named),
            released=tuple(sorted({*self.released, *named})),
        )

    def needed_since(self, instant: Instant) -> "Guard":
        """Return the guard without the releases of trips before `instant`, under which nothing is held any more."""
        return replace(self, released=tuple(trip for trip in self.released if trip.instant >= instant))


class Switches(Struct, frozen=True, omit_defaults=True):
    """All that is held back by operators or by the guard."""

    kill: Kill = Kill()
    guard: Guard = Guard()
