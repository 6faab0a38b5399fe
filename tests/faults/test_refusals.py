"""A broker that refuses what is written to a topic, for a while, amid a load."""

from pathlib import Path

import pytest

from app.dev.kafka import DevKafka
from app.streams.names import Names
from tests.faults.altered import alter
from tests.faults.cluster import FAILED
from tests.faults.load import provider
from tests.faults.reasons import REFUSED
from tests.faults.run import Run, seed
from tests.kafka.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.long]

SECONDS = 8.0
ROOM_FOR_A_FENCE = {"max.message.bytes": "120"}
"""Bytes: workers take their partitions over, and then nothing that they write is taken."""
LIVES = 2
"""For each worker, before the setting is put back."""


@pytest.mark.parametrize(
    ("app", "topic"),
    [
        ("triggers", "book_journal"),
        ("triggers", "decisions"),
        ("triggers", "outbox"),
        ("sender", "attempts_journal"),
        ("sender", "deliveries"),
    ],
)
async def test_a_topic_that_takes_no_batch_ends_its_writers_until_it_does(
    kafka: DevKafka, names: Names, tmp_path: Path, app: str, topic: str
) -> None:
    name = getattr(names, topic)
    load = provider(seed(), 60)
    async with Run(f"writes refused, {topic}", kafka.bootstrap, names, tmp_path, load, ends=REFUSED) as run:
        run.begin(triggers=2, senders=1)
        playing = run.play(SECONDS)
        await run.becomes(0.2)

        async def all_have_ended_again() -> bool:
            failed = [each.name for each in run.workers.ended if each.status == FAILED]
            return all(failed.count(each) >= LIVES for each in run.workers.names(app))

        with run.without():
            await alter(kafka.bootstrap, names, [name], ROOM_FOR_A_FENCE)
            run.nemesis.note("max.message.bytes too small", name)
            await eventually(all_have_ended_again, 90)
            await alter(kafka.bootstrap, names, [name])
        for each in run.workers.ended:
            assert f"{name}[" in each.last, each
        await playing
        await run.finish()
