"""The only reader of the wall clock."""

import time

from app.contract.instants import Instant


def now() -> Instant:
    """Return this machine's time, in microseconds since the epoch."""
    return time.time_ns() // 1_000
