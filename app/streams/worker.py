"""A worker process: its clients, its lanes, its end."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Final, NoReturn

import uvloop

from app.errors import WhimbrelError
from app.settings import Settings
from app.streams.app import LaneApp, start_line
from app.streams.client import opened_consumer
from app.streams.lanes import Lanes
from app.streams.opening import Opening, Wiring
from app.streams.outputs import KafkaOutputs, open_producer
from app.streams.patience import Patience
from app.streams.readiness import Readiness, observe
from app.streams.ticker import Ticker
from app.streams.web import serving

log = logging.getLogger(__name__)

STOP_SECONDS: Final = 9.0
FAILED: Final = 1


def run_worker(wiring: Wiring, settings: Settings) -> None:
    """Run until SIGTERM or SIGINT, then end cleanly within 10 s; where anything fails, say why and end with 1."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # Faust makes a loop of its own in its consumer's thread
    asyncio.run(_run(wiring, settings))


def end(error: BaseException) -> NoReturn:
    """End the process at once and say why: what is in doubt must not be written on."""
    log.critical("ends: %s", error, exc_info=None if isinstance(error, WhimbrelError) else error)
    logging.shutdown()
    sys.stderr.flush()
    os._exit(FAILED)


async def _run(wiring: Wiring, settings: Settings) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        worker = await _assemble(wiring, settings, stack)
        await worker.start()
        await stopping.wait()
        log.info("stops")
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await worker.stop()
                await stack.aclose()
        except TimeoutError:
            end(WhimbrelError(f"did not stop within {STOP_SECONDS:.0f} s"))
    log.info("stopped")


async def _assemble(wiring: Wiring, settings: Settings, stack: AsyncExitStack) -> "_Worker":
    """Open the clients, waiting for a broker that is away, and read the configuration."""
    offsets = await stack.enter_async_context(opened_consumer(settings.kafka))
    producer = await open_producer(settings.kafka)
    stack.push_async_callback(producer.stop)
    patience = Patience(producer.client, settings.kafka)
    background: list[Callable[[], Awaitable[None]]] = [patience.watch]
    if wiring.config is not None:
        follower = await stack.enter_async_context(opened_consumer(settings.kafka))
        await wiring.config.start(follower, patience)
        background.append(partial(wiring.config.follow, follower, patience))
    ticker = None
    if wiring.ticks is not None and not wiring.external:
        ticker = Ticker(wiring.ticks, wiring.inputs, producer=producer, consumer=offsets, patience=patience)
    readiness = Readiness(wiring.config, ticker)
    opening = Opening(
        wiring,
        settings.kafka,
        settings.state / wiring.app,
        consumer=offsets,
        outputs=KafkaOutputs(producer, patience),
        ticker=ticker,
        patience=patience,
        may_decide=lambda: readiness.undecided is None,
    )
    lanes = Lanes(opening, end)
    if ticker is not None:
        background.append(partial(ticker.run, lambda: lanes.running, settings.tick_seconds))
    background.append(partial(observe, lanes))
    port = await stack.enter_async_context(
        serving(settings.metrics_host, settings.metrics_port, lambda: readiness.unready(lanes))
    )
    log.info("starts", extra={"app": wiring.app, "metrics_port": port, **start_line(settings)})
    return _Worker(lanes, LaneApp(wiring.app, lanes, settings), background)


class _Worker:
    """The lanes, the group's member that feeds them, and what runs beside."""

    def __init__(self, lanes: Lanes, app: LaneApp, background: list[Callable[[], Awaitable[None]]]) -> None:
        self._lanes = lanes
        self._app = app
        self._background = background
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Join the group."""
        self._tasks = [asyncio.create_task(_guarded(each)) for each in self._background]
        await self._app.start()

    async def stop(self) -> None:
        """Finish the batches in hand, then leave."""
        await self._lanes.end()
        await self._app.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _guarded(work: Callable[[], Awaitable[None]]) -> None:
    try:
        await work()
    except Exception as error:  # noqa: BLE001 - whatever it is, the process ends with it
        end(error)
