"""Input as Kafka really has it: transactions, markers, topics that are gone or cut."""

import asyncio
import re
import urllib.request
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete

from app.dev.kafka import DevKafka
from app.streams import topics
from app.streams.client import opened_admin
from app.streams.names import Names
from tests.kafka.fleet import Fleet, end_of, running
from tests.kafka.test_worker import all_told, some_facts
from tests.kafka.waiting import wait_until

pytestmark = pytest.mark.kafka


@pytest.fixture
async def fleet(kafka: DevKafka, names: Names, tmp_path: Path) -> Fleet:
    await topics.create(kafka.bootstrap, names, 2, 1)
    return Fleet(kafka.bootstrap, names, tmp_path)


async def test_of_a_transactional_upstream_only_what_is_committed_counts(fleet: Fleet) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=fleet.bootstrap, transactional_id=f"{fleet.names.prefix}upstream")
    await producer.start()
    for number in range(6):
        await producer.begin_transaction()
        for fact in range(4):
            await producer.send(fleet.names.billing, b"x", f"k{fact}".encode())
        await (producer.abort_transaction() if number % 2 else producer.commit_transaction())
    await producer.stop()
    with running(fleet, 1):
        await fleet.publish(some_facts(fleet.names, 50))
        await all_told(fleet)
        fleet.kill(0)
        fleet.start(0)
        await fleet.publish(some_facts(fleet.names, 50, seed=2))
        await all_told(fleet)
        fleet.stop()


async def test_ticks_come_and_the_worker_shows_how_it_does(fleet: Fleet) -> None:
    def page(name: str) -> str:
        port = re.findall(r"metrics_port=(\d+)", fleet.logged(0))[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=5) as answer:
            return str(answer.read().decode())

    with running(fleet, 1):
        await fleet.publish(some_facts(fleet.names, 50))
        await all_told(fleet)
        await asyncio.to_thread(wait_until, lambda: "whimbrel_cursor_behind_seconds{" in page("metrics"))
        shown = page("metrics")
        assert "whimbrel_partitions 2.0" in shown
        assert "whimbrel_fences_total 2.0" in shown
        assert page("healthz") == "alive\n"
        assert page("readyz") == "ready\n"
        fleet.stop()


async def test_a_worker_without_its_topics_says_which_and_what_makes_them(
    kafka: DevKafka, names: Names, tmp_path: Path
) -> None:
    fleet = Fleet(kafka.bootstrap, names, tmp_path)
    with running(fleet, 1):
        assert await asyncio.to_thread(fleet.workers[0].wait, 30) == 1
        assert "whimbrel topics create" in fleet.logged(0)


async def test_retention_that_overtakes_a_position_stops_the_worker_loudly(fleet: Fleet) -> None:
    with running(fleet, 1):
        await fleet.publish(some_facts(fleet.names, 100))
        await all_told(fleet)
        fleet.stop()
        await fleet.publish(some_facts(fleet.names, 100, seed=2))
        ends = {
            TopicPartition(fleet.names.billing, p): await end_of(fleet.bootstrap, fleet.names.billing, p)
            for p in (0, 1)
        }
        async with opened_admin(fleet.bootstrap) as admin:
            await admin.delete_records({here: RecordsToDelete(before_offset=end) for here, end in ends.items()})
        fleet.start(0)
        assert await asyncio.to_thread(fleet.workers[0].wait, 30) == 1
        assert "retention has removed records" in fleet.logged(0)
