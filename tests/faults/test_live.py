"""Workers by the clock: timer ticks, returns of what is no longer fresh, kills around a day rule's moment."""

import asyncio
from pathlib import Path

import pytest

from app import clock
from app.contract.instants import SECOND
from app.dev.kafka import DevKafka
from app.streams import client
from app.streams.names import Names
from tests.faults import live
from tests.faults.nemesis import kill, stop, trouble
from tests.faults.reasons import STOOD_STILL
from tests.faults.run import PARTITIONS, STORM, Run, seed
from tests.kafka.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.long]

LEAD = 40 * SECOND
"""The least from now to the moment: to start in, and to publish before it."""
BY_THE_CLOCK = {
    "WHIMBREL_TICKS": "timer",
    "WHIMBREL_TICK_SECONDS": "1",
    "WHIMBREL_FRESHNESS_SECONDS": "4",
}


async def test_by_the_clock_with_returns_while_workers_are_killed(
    kafka: DevKafka, names: Names, tmp_path: Path
) -> None:
    load = live.live(live.moment_after(clock.now() + LEAD))
    async with Run(
        "live, with returns", kafka.bootstrap, names, tmp_path, load, ends=STOOD_STILL, stall=STORM, **BY_THE_CLOCK
    ) as run:
        run.begin(triggers=2, senders=2)

        async def all_are_live() -> bool:
            return len(run.watch.positions(names.book_journal)) == PARTITIONS

        await eventually(all_are_live)
        run.load = live.speak(load, live.second_after(clock.now()), seed())
        speaking = run.beside(live.publish(kafka.bootstrap, names, run.load))
        workers = {"kill -9": kill(run.workers), "stop": stop(run.workers, (1, 5))}
        relay = {"SMTP in trouble": trouble(run.relay, ["deferring", "refusing"], (3, 6))}
        await asyncio.gather(
            run.nemesis.storm(workers, until=speaking), run.nemesis.storm(relay, until=speaking, every=(1, 3))
        )
        await run.finish()
        assert not run.nemesis.missed("kill -9", "stop")
        assert await client.read(kafka.bootstrap, names.returns), "some were asked about"
