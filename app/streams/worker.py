"""A worker process: its clients, its lanes, its end."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, Final, NoReturn

import uvloop

from app.errors import WhimbrelError
from app.settings import Settings
from app.streams import connection
from app.streams.app import LaneApp, start_line
from app.streams.client import KafkaAwayError, is_away, opened_consumer, partitions_of
from app.streams.lanes import Lanes
from app.streams.opening import Opening, Wiring
from app.streams.outputs import KafkaOutputs, open_producer
from app.streams.patience import Patience
from app.streams.readiness import Readiness, observe
from app.streams.ticker import Ticker
from app.streams.web import serving

log = logging.getLogger(__name__)

STOP_SECONDS: Final = 9.0
LEAVE_SECONDS: Final = 2.0
"""How long Faust may take to leave the group once the lanes have ended: after that nothing depends on it."""
STOPPED: Final = 0
FAILED: Final = 1


def run_worker(wiring: Wiring, settings: Settings) -> NoReturn:
    """Run until SIGTERM or SIGINT, then end the process cleanly within 10 s; where anything fails, say why, exit 1."""
    connection.mend()
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # Faust makes a loop of its own in its consumer's thread
    asyncio.run(_run(wiring, settings))


def end(error: BaseException) -> NoReturn:
    """End the process at once and say why: what is in doubt must not be written on."""
    if is_away(error):  # where somebody has asked without waiting for it
        error = KafkaAwayError(f"Kafka went away as it was needed ({error}): start this worker again")
    log.critical("ends: %s", error, exc_info=None if isinstance(error, WhimbrelError) else error)
    _exit(FAILED)


def _exit(status: int) -> NoReturn:
    """End the process whatever threads are left."""
    logging.shutdown()
    sys.stderr.flush()
    os._exit(status)


async def _run(wiring: Wiring, settings: Settings) -> NoReturn:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        if wiring.close is not None:
            stack.push_async_callback(wiring.close)
        beginning = asyncio.create_task(_begin(wiring, settings, stack))
        told = asyncio.create_task(stopping.wait())
        await asyncio.wait([beginning, told], return_when=asyncio.FIRST_COMPLETED)
        if not beginning.done():
            log.info("stops: it has not begun")
            _exit(STOPPED)  # it has nothing in hand; whatever it waits for, it does not wait to the end
        app, lanes = beginning.result()
        try:
            await told
            log.info("stops")
            async with asyncio.timeout(STOP_SECONDS):
                await lanes.end()
                await _leave(app)
                await stack.aclose()
        except TimeoutError:
            end(WhimbrelError(f"did not stop within {STOP_SECONDS:.0f} s"))
        except Exception as error:  # noqa: BLE001 - whatever it is, the process ends with it
            end(error)
    log.info("stopped")
    _exit(STOPPED)  # no thread is waited for: one may be amid asking a name server that does not answer


async def _begin(wiring: Wiring, settings: Settings, stack: AsyncExitStack) -> tuple[LaneApp, Lanes]:
    """Have everything run."""
    lanes = await _assemble(wiring, settings, stack)
    app = LaneApp(wiring.app, lanes, settings)
    try:
        await app.start()
    except Exception as error:  # noqa: BLE001 - a thread of Faust's would keep the process in its group
        end(error)
    return app, lanes


async def _leave(app: LaneApp) -> None:
    """Leave the group, or give up: where the coordinator is away that may take long."""
    done, _ = await asyncio.wait([asyncio.create_task(app.stop())], timeout=LEAVE_SECONDS)
    for each in done:
        each.result()


async def _assemble(wiring: Wiring, settings: Settings, stack: AsyncExitStack) -> Lanes:
    """Open the clients, waiting for a broker that is away, read the configuration, and start what runs beside."""
    bootstrap = settings.kafka
    producer = await open_producer(bootstrap)
    stack.push_async_callback(producer.stop)
    patience = Patience(producer.client, bootstrap)
    _beside(stack, patience.watch())
    partitions = await partitions_of(bootstrap, *wiring.topics)
    for share in wiring.sized:
        share(sum(each.topic == wiring.journal for each in partitions))
    offsets = await stack.enter_async_context(opened_consumer(bootstrap))
    if wiring.config is not None:
        follower = await stack.enter_async_context(opened_consumer(bootstrap))
        await wiring.config.start(follower, patience)
        _beside(stack, wiring.config.follow(follower, patience))
    ticker = None
    if wiring.ticks is not None and not wiring.external:
        ticker = Ticker(wiring.ticks, wiring.inputs, producer=producer, consumer=offsets, patience=patience)
    readiness = Readiness(wiring.config, ticker)
    opening = Opening(
        wiring,
        bootstrap,
        settings.state / wiring.app,
        consumer=offsets,
        outputs=KafkaOutputs(producer, patience),
        ticker=ticker,
        patience=patience,
        may_decide=lambda: readiness.undecided is None,
        go_on=settings.lost_input == "go_on",
    )
    lanes = Lanes(opening, end)
    if ticker is not None:
        _beside(stack, ticker.run(lambda: lanes.running, settings.tick_seconds))
    _beside(stack, observe(lanes))
    if wiring.beside is not None:
        _beside(stack, wiring.beside())
    port = await stack.enter_async_context(
        serving(settings.metrics_host, settings.metrics_port, lambda: readiness.unready(lanes))
    )
    log.info("starts", extra={"app": wiring.app, "metrics_port": port, **start_line(settings)})
    return lanes


def _beside(stack: AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
    """Run `work` until the stack unwinds; where it fails the process ends."""

    async def guarded() -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - whatever it is, the process ends with it
            end(error)

    task = asyncio.create_task(guarded())

    async def cancel() -> None:
        task.cancel()
        await asyncio.wait([task])

    stack.push_async_callback(cancel)
