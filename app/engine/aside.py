"""What a partition's decider tells the outside of once it is in effect: trips, and what is held or parked."""

from collections.abc import Callable

from app import metrics
from app.domain.switches import Trip, TripId
from app.engine.guard import own_trips
from app.engine.handler import LaneAccess
from app.engine.parked import PREFIX
from app.engine.totals import totals


class Aside:
    """Reads committed rows only: of what a killed worker left, the next one tells."""

    def __init__(self, tell: Callable[[Trip], None] | None) -> None:
        """`tell` is told of each trip, at least once."""
        self.tripped = True
        self._tell = tell
        self._lane: LaneAccess | None = None
        self._told: set[TripId] = set()
        self._shown: set[str] = set()

    def begin(self, lane: LaneAccess) -> None:
        """Begin with what the rows say."""
        self._lane = lane
        self.look()

    def look(self) -> None:
        """Look at what the last batch has changed."""
        if self._lane is None:
            return
        txn = self._lane.read()
        held = totals(txn).held
        for reason in self._shown | held.keys():
            metrics.HELD.labels(self._lane.partition, reason).set(held.get(reason, 0))
        self._shown |= held.keys()
        metrics.PARKED.labels(self._lane.partition).set(len(txn.scan(PREFIX)))
        if self.tripped and self._tell is not None:
            self.tripped = False
            for _, trip in own_trips(txn):
                if trip.id not in self._told:
                    self._told.add(trip.id)
                    metrics.GUARD_TRIPS.labels(trip.id.rule).inc()
                    self._tell(trip)

    def end(self) -> None:
        """Take away what another worker shows from now on."""
        if self._lane is not None:
            for reason in self._shown:
                metrics.HELD.remove(self._lane.partition, reason)
            metrics.PARKED.remove(self._lane.partition)
        self._lane = None
