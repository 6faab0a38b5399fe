"""A cluster of three brokers, of which one, and then two, are away amid a load."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from app.dev.kafka import DevKafka
from app.streams.client import KafkaAwayError, opened_admin
from app.streams.names import Names
from app.streams.topics import REPLICATION
from tests.faults.altered import alter
from tests.faults.load import provider
from tests.faults.nemesis import kill_broker
from tests.faults.reasons import AWAY, EXPELLED, UNFINISHED
from tests.faults.run import Run, seed
from tests.faults.trio import Trio, trio
from tests.kafka.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.long]

AWAY_SECONDS = 20.0
ENDS = f"{EXPELLED}|{UNFINISHED}|{AWAY}"
"""Where a group's coordinator moves to another broker, its members may be heard by it too late; and while too few are
there to acknowledge what is written, those that are answer."""


@pytest.fixture
def three(kafka: DevKafka) -> Iterator[Trio]:
    """Three brokers that the test may end."""
    del kafka  # says loudly what is missing
    with trio() as brokers:
        yield brokers


async def test_one_killed_after_the_other(three: Trio, names: Names, tmp_path: Path) -> None:
    async with Run(
        "three brokers, each killed", three.bootstrap, names, tmp_path, provider(seed(), 80), ends=ENDS
    ) as run:
        run.begin(triggers=2, senders=1)
        for broker, part in zip(three.brokers, run.load.parts(1 / 3, 2 / 3), strict=True):
            playing = run.play(8, part)
            await run.decides(20)
            await run.nemesis.strike("kill -9 of the broker", kill_broker(broker, 1.0))
            await eventually(partial(in_sync, three, REPLICATION), 60)
            await playing
        await run.finish()


async def test_two_of_three_away_amid_the_load(three: Trio, names: Names, tmp_path: Path) -> None:
    """Nothing is acknowledged meanwhile: neither have two brokers a record, nor is there a quorum."""
    async with Run("three brokers, two away", three.bootstrap, names, tmp_path, provider(seed(), 80), ends=ENDS) as run:
        run.begin(triggers=2, senders=1)
        playing = run.play(20)
        await run.becomes(0.2)
        with run.without():
            for broker in three.brokers[1:]:
                broker.kill()
                run.nemesis.note("kill -9 of the broker", f"{broker.bootstrap} for {AWAY_SECONDS:g} s")
            await asyncio.sleep(AWAY_SECONDS)
            await asyncio.gather(*(asyncio.to_thread(broker.start) for broker in three.brokers[1:]))
        await playing
        await run.finish()


async def test_too_few_copies_in_sync_amid_the_load(three: Trio, names: Names, tmp_path: Path) -> None:
    """With one broker away, what workers write shall be on three: it is refused."""
    async with Run(
        "min.insync.replicas not met", three.bootstrap, names, tmp_path, provider(seed(), 80), ends=ENDS
    ) as run:
        refusing = {names.book_journal, names.attempts_journal, names.outbox, names.deliveries, names.decisions}
        run.begin(triggers=2, senders=1)
        playing = run.play(20)
        await run.becomes(0.2)
        three.brokers[0].kill()
        run.nemesis.note("kill -9 of the broker", three.brokers[0].bootstrap)
        await eventually(partial(in_sync, three, REPLICATION - 1), 60)
        with run.without():
            await alter(three.bootstrap, names, refusing, {"min.insync.replicas": f"{REPLICATION}"}, REPLICATION)
            run.nemesis.note("min.insync.replicas not met", f"for {AWAY_SECONDS:g} s")
            await asyncio.sleep(AWAY_SECONDS)
            await asyncio.to_thread(three.brokers[0].start)
        await playing
        await eventually(partial(in_sync, three, REPLICATION), 60)
        await alter(three.bootstrap, names, refusing, copies=REPLICATION)
        await run.finish()
        assert any("NotEnoughReplicas" in run.workers.logged(name) for name in ("t1", "t2", "s1")), "all was taken"


async def in_sync(three: Trio, copies: int) -> bool:
    """Tell whether every partition has so many copies that have all of it."""
    with suppress(KafkaAwayError):  # the one that was asked is the one that is away
        async with opened_admin(three.bootstrap) as admin:
            topics = await admin.describe_topics()
        return all(len(each["isr"]) == copies for topic in topics for each in topic["partitions"])
    return False
