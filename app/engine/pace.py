"""How fast a lane may catch up: a backlog of days must not reach the relay, and the people behind it, all at once.

Only a tick that has much to catch up with is held to it; facts go on meanwhile (ARCHITECTURE.md, section 4).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from app.contract.instants import MINUTE, Instant
from app.engine.records import Cursor, Output, Tick

BEHIND: Final = 15 * MINUTE
"""What a tick covers at most where nothing is late (DOMAIN.md, section 4)."""
LEAST_WAIT: Final = 0.01


@dataclass
class CatchUp:
    """So many records of `topic` a second, of all partitions together; `per_second` None: as fast as may be."""

    topic: str
    per_second: float | None = None
    partitions: int = 1

    def among(self, partitions: int) -> None:
        """Share it among so many partitions from now on."""
        self.partitions = partitions

    def pace(self, monotonic: Callable[[], float]) -> "Pace | None":
        """Return one partition's share, from now on."""
        return None if self.per_second is None else Pace(self.topic, self.per_second / self.partitions, monotonic)


class Pace:
    """One lane's share, as a bucket of tokens: a second's worth at most; what a slice sent too much is waited for."""

    def __init__(self, topic: str, per_second: float, monotonic: Callable[[], float]) -> None:
        """Begin with a full bucket."""
        self._topic = topic
        self._rate = per_second
        self._most = self._tokens = max(1.0, per_second)
        self._monotonic = monotonic
        self._seen = monotonic()

    def accounts(self, most: int) -> int:
        """Return how many accounts the next slice may have, at most `most`; 0: it must wait."""
        return min(most, int(self._filled()))

    def cost(self, outputs: Sequence[Output]) -> int:
        """Return how many of the outputs count."""
        return sum(output.topic == self._topic for output in outputs)

    def spend(self, cost: int) -> None:
        """Take what was sent out of the bucket."""
        self._tokens = self._filled() - cost

    def wait(self) -> float:
        """Return after how many seconds to ask again."""
        return max(LEAST_WAIT, (1 - self._filled()) / self._rate)

    def _filled(self) -> float:
        now = self._monotonic()
        self._tokens = min(self._most, self._tokens + (now - self._seen) * self._rate)
        self._seen = now
        return self._tokens


def is_behind(tick: Tick, cursor: Cursor | None, live_since: Instant | None) -> bool:
    """Say whether the tick has more to catch up with than lies between ticks; before `live_since` nothing counts."""
    return cursor is not None and tick.instant - max(cursor.completed, live_since or 0) > BEHIND


def begun(tick: Tick, cursor: Cursor) -> Cursor:
    """Return the cursor at the beginning of a tick, none of whose accounts is done yet."""
    return Cursor(tick.instant, tick.now, "", cursor.instant)
