"""A broker that goes away: for a while, or at start."""

import asyncio
from pathlib import Path

import pytest

from app.dev.kafka import DevKafka
from app.streams import topics
from app.streams.names import Names
from tests.kafka.fleet import Fleet, running
from tests.kafka.test_worker import all_told, rows_index_and_journal_agree, some_facts
from tests.kafka.waiting import wait_until

pytestmark = pytest.mark.kafka


@pytest.fixture
async def fleet(own_kafka: DevKafka, names: Names, tmp_path: Path) -> Fleet:
    await topics.create(own_kafka.bootstrap, names, 4, 1)
    return Fleet(own_kafka.bootstrap, names, tmp_path)


async def test_a_broker_killed_and_back_costs_nothing(own_kafka: DevKafka, fleet: Fleet) -> None:
    with running(fleet, 2):
        await fleet.publish(some_facts(fleet.names, 500))
        await all_told(fleet)
        own_kafka.kill()
        own_kafka.start()
        await fleet.publish(some_facts(fleet.names, 500, seed=2))
        await all_told(fleet, 90)
        assert all(worker.poll() is None for worker in fleet.workers.values()), fleet.logged(0) + fleet.logged(1)
        fleet.stop()
    await rows_index_and_journal_agree(fleet)


async def test_a_worker_started_before_its_broker_waits_for_it(own_kafka: DevKafka, fleet: Fleet) -> None:
    own_kafka.kill()
    with running(fleet, 1):
        await asyncio.to_thread(wait_until, lambda: fleet.workers[0].poll() is None)
        own_kafka.start()
        await fleet.publish(some_facts(fleet.names, 100))
        await all_told(fleet)
        fleet.stop()
