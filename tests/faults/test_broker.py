"""A broker that is killed, stands still, or is away for longer than anybody waits, amid a load."""

import random
from pathlib import Path

import pytest

from app.dev.kafka import DevKafka
from app.streams.names import Names
from app.streams.patience import AWAY_SECONDS
from tests.faults.cluster import FAILED
from tests.faults.load import provider
from tests.faults.nemesis import kill_broker, stop_broker
from tests.faults.reasons import AWAY, EXPELLED, UNFINISHED
from tests.faults.run import Run, seed
from tests.kafka.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.long]

LEAST = 2
"""Kills of the broker amid one load, at the least."""


async def test_killed_and_restarted_amid_the_load(own_kafka: DevKafka, names: Names, tmp_path: Path) -> None:
    async with Run("broker killed", own_kafka.bootstrap, names, tmp_path, provider(seed()), ends=UNFINISHED) as run:
        strike = kill_broker(own_kafka, 0.5)

        async def away(chance: random.Random) -> str:
            with run.without():
                return await strike(chance)

        run.begin(triggers=2, senders=1)
        await run.all_lanes_run()
        await run.nemesis.storm({"kill -9 of the broker": away}, until=run.play(25), every=(2, 5))
        await run.finish()
        assert run.nemesis.counts["kill -9 of the broker"] >= LEAST


async def test_standing_still_for_half_a_minute(own_kafka: DevKafka, names: Names, tmp_path: Path) -> None:
    async with Run(
        "broker stopped for 30 s", own_kafka.bootstrap, names, tmp_path, provider(seed()), ends=EXPELLED
    ) as run:
        run.begin(triggers=2, senders=1)
        playing = run.play(12)
        await run.becomes(0.2)
        with run.without():
            await run.nemesis.strike("stop of the broker", stop_broker(own_kafka, 30))
        await playing
        await run.finish()


async def test_away_for_longer_than_a_minute_workers_end_say_why_and_come_back(
    own_kafka: DevKafka, names: Names, tmp_path: Path
) -> None:
    async with Run(
        "broker away for over 60 s", own_kafka.bootstrap, names, tmp_path, provider(seed()), ends=AWAY
    ) as run:
        first, second = run.load.parts(0.5)
        run.begin(triggers=2, senders=1)
        await run.play(3, first)
        await run.becomes(0.1)

        async def all_have_ended() -> bool:
            ended = {each.name for each in run.workers.ended if each.status == FAILED}
            return ended == set(run.workers.names())

        with run.without():
            own_kafka.kill()
            run.nemesis.note("kill of the broker", "for over 60 s")
            await eventually(all_have_ended, AWAY_SECONDS + 30)
            own_kafka.start()
        await run.play(3, second)
        await run.finish()
