"""The only reader of the wall clock."""

import time
from typing import Final

from app.contract.instants import Instant

OFF_SECONDS: Final = 30.0
"""A worker further off the broker's time decides nothing and hands nothing over (ARCHITECTURE.md, section 4)."""


def now() -> Instant:
    """Return this machine's time, in microseconds since the epoch."""
    return time.time_ns() // 1_000
