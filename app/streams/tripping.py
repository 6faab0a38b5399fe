"""Tells everybody of the guard's trips: through `whimbrel.config`, as every change of what is in force."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial, reduce
from typing import Final

from msgspec.structs import replace

from app.config.record import Recorded
from app.domain.switches import Guard, Switches, Trip, TripId
from app.errors import WhimbrelError
from app.streams import config_apply

log = logging.getLogger(__name__)

AGAIN_SECONDS: Final = 5.0


class TripTeller:
    """Publishes what it is told. Each trip stays in the rows of its partition until the configuration knows it."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        """`topic` is the configuration's."""
        self._bootstrap = bootstrap
        self._topic = topic
        self._waiting: dict[TripId, Trip] = {}
        self._some = asyncio.Event()

    def tell(self, trip: Trip) -> None:
        """Have the trip published soon."""
        log.warning(
            "the guard holds a rule",
            extra={
                "rule": trip.id.rule,
                "partition": trip.id.partition,
                "recipients": trip.recipients,
                "limit": trip.limit,
            },
        )
        self._waiting[trip.id] = trip
        self._some.set()

    async def run(self) -> None:
        """Publish on and on; what is refused is tried again, the rule being held where it tripped."""
        while True:
            await self._some.wait()
            self._some.clear()
            trips = tuple(self._waiting.values())
            try:
                await config_apply.switch(self._bootstrap, self._topic, partial(_with, trips))
            except WhimbrelError as error:
                log.error("a trip of the guard could not be published: %s", error)  # noqa: TRY400 - it says it all
                await asyncio.sleep(AGAIN_SECONDS)
                self._some.set()
            else:
                for trip in trips:
                    del self._waiting[trip.id]


def _with(trips: Sequence[Trip], found: Recorded) -> Switches:
    return replace(found.switches, guard=reduce(Guard.tripped, trips, found.switches.guard))
