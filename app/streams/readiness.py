"""Whether a worker decides, whether it is ready, and how far behind it is."""

import asyncio
from typing import Final

from app import clock, metrics
from app.contract.instants import SECOND
from app.streams.config_reader import ConfigReader
from app.streams.lanes import Lanes
from app.streams.ticker import Ticker

OBSERVE_SECONDS: Final = 1.0


class Readiness:
    """What must hold before anything is decided, and before the worker calls itself ready."""

    def __init__(self, config: ConfigReader | None, ticker: Ticker | None) -> None:
        """None: the app needs no configuration, or makes no time."""
        self._config = config
        self._ticker = ticker

    @property
    def undecided(self) -> str | None:
        """Say why lanes take no input, None where they do."""
        if self._config is not None and self._config.unready is not None:
            return self._config.unready
        if self._ticker is not None and not self._ticker.on_time:
            return f"this machine's clock is more than {clock.OFF_SECONDS:.0f} s off the broker's"
        return None

    def unready(self, lanes: Lanes) -> str | None:
        """Say why the worker is not ready, None where it is."""
        if not lanes.ready:
            return "partitions are being assigned and restored"
        return self.undecided


async def observe(lanes: Lanes) -> None:
    """Keep the gauges of how far behind the lanes are."""
    while True:
        await asyncio.sleep(OBSERVE_SECONDS)
        now = clock.now()
        for partition, lane in lanes.running.items():
            cursor, live_since = lane.commit.cursor, lane.commit.live_since
            if cursor is not None:
                metrics.CURSOR_BEHIND.labels(partition).set((now - max(cursor.completed, live_since or 0)) / SECOND)
