"""Ctrl-C, and whatever else asks the demo to end: heard once, wherever it comes, and never while it is ending."""

import asyncio
import signal
from collections.abc import Coroutine
from types import FrameType, TracebackType
from typing import Any, Final, Self, TypeVar

T = TypeVar("T")
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """While the context lasts, the first of SIGNALS raises KeyboardInterrupt; further ones are passed over."""

    def __init__(self) -> None:
        """Hear nothing yet."""
        self._heard = False
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._hear) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` in a loop of its own; interrupted, it is cancelled, cleans up, and KeyboardInterrupt is raised."""
        try:
            return asyncio.run(self._registered(work))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        finally:
            self._running = None

    async def _registered(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.ensure_future(work)
        self._running = asyncio.get_running_loop(), task
        return await task

    def _hear(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self._heard:
            return
        self._heard = True
        if self._running is None:
            raise KeyboardInterrupt
        loop, task = self._running
        loop.call_soon_threadsafe(task.cancel)
