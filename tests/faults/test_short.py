"""What every test run goes through: workers killed and stopped with a bad relay, and a broker killed."""

from pathlib import Path

import pytest

from app.dev.kafka import DevKafka
from app.streams.names import Names
from tests.faults.load import provider
from tests.faults.nemesis import kill, kill_broker, stop, term, trouble
from tests.faults.reasons import STOOD_STILL, UNFINISHED
from tests.faults.run import STORM, Run, seed

pytestmark = pytest.mark.kafka


async def test_workers_are_killed_and_stopped_and_mails_dropped_after_data(
    kafka: DevKafka, names: Names, tmp_path: Path
) -> None:
    load = provider(seed(), 150)
    async with Run(
        "short: workers and SMTP", kafka.bootstrap, names, tmp_path, load, ends=STOOD_STILL, stall=STORM
    ) as run:
        run.begin(triggers=2, senders=2)
        await run.all_lanes_run()
        faults = {
            "kill -9": kill(run.workers),
            "stop": stop(run.workers, (1, 4)),
            "term": term(run.workers),
            "SMTP cut taken": trouble(run.relay, ["cut taken"], [2], share=0.5),
        }
        await run.nemesis.storm(faults, until=run.play(20), every=(0.5, 1.5))
        await run.finish()
        assert not run.nemesis.missed("kill -9", "stop", "term")


async def test_the_broker_is_killed(own_kafka: DevKafka, names: Names, tmp_path: Path) -> None:
    load = provider(seed(), 60)
    async with Run("short: broker killed", own_kafka.bootstrap, names, tmp_path, load, ends=UNFINISHED) as run:
        run.begin(triggers=1, senders=1)
        playing = run.play(6)
        await run.becomes(0.2)
        with run.without():
            await run.nemesis.strike("kill -9 of the broker", kill_broker(own_kafka))
        await playing
        await run.finish()
