"""Waiting for a fact instead of for a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable

LOOK_SECONDS = 0.05


def wait_until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Return once `condition()` is true; raise AssertionError where it is not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
        time.sleep(LOOK_SECONDS)


async def eventually(condition: Callable[[], Awaitable[object]], seconds: float = 30.0) -> None:
    """Return once `await condition()` is true; raise TimeoutError where it is not within `seconds`."""
    async with asyncio.timeout(seconds) as bound:
        while not await condition():
            if bound.expired():  # a client that was being closed has swallowed the cancellation
                raise TimeoutError
            await asyncio.sleep(LOOK_SECONDS)
