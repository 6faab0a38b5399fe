"""Minutes under fire: three counting workers killed, stopped beyond their session and ended, again and again."""

import asyncio
import itertools
import random
import signal
import time
from pathlib import Path

import pytest

from app.dev.kafka import DevKafka
from app.streams import topics
from app.streams.names import Names
from tests.kafka.fleet import Fleet, running
from tests.kafka.test_worker import PARTITIONS, all_told, rows_index_and_journal_agree, some_facts

pytestmark = [pytest.mark.kafka, pytest.mark.long]

WORKERS = 3
SECONDS = 60.0
PACE = 0.2
FACTS_AT_ONCE = 100


@pytest.mark.parametrize("static", [True, False], ids=["static members", "dynamic members"])
@pytest.mark.parametrize("fault", ["kill", "stop", "term"])
async def test_nothing_is_lost_or_counted_twice(
    kafka: DevKafka, names: Names, tmp_path: Path, fault: str, *, static: bool
) -> None:
    await topics.create(kafka.bootstrap, names, PARTITIONS, 1)
    fleet = Fleet(kafka.bootstrap, names, tmp_path, **({} if static else {"WHIMBREL_WORKER": ""}))
    chance = random.Random(f"{fault}{static}")
    deadline = time.monotonic() + SECONDS
    next_fault = time.monotonic() + 5
    with running(fleet, WORKERS):
        for seed in itertools.count():
            if time.monotonic() > deadline:
                break
            await fleet.publish(some_facts(names, FACTS_AT_ONCE, seed))
            await asyncio.sleep(PACE)  # the load's pace, not a wait for anything
            if time.monotonic() > next_fault:
                await strike(fleet, fault, chance)
                next_fault = time.monotonic() + chance.uniform(2, 8)
            start_what_has_ended(fleet)
        start_what_has_ended(fleet)
        await all_told(fleet, 120)
        fleet.stop()
    await rows_index_and_journal_agree(fleet)


async def strike(fleet: Fleet, fault: str, chance: random.Random) -> None:
    number = chance.randrange(WORKERS)
    if fault == "kill":
        fleet.kill(number)
    elif fault == "term":
        fleet.signal(number, signal.SIGTERM)
        status = await asyncio.to_thread(fleet.workers[number].wait, 12)
        assert status in {0, -signal.SIGTERM}, fleet.logged(number)  # the latter: hit before it had begun
    else:
        fleet.signal(number, signal.SIGSTOP)
        await asyncio.sleep(chance.choice([1, 4, 7]))  # the fault itself: shorter and longer than the session
        fleet.signal(number, signal.SIGCONT)


def start_what_has_ended(fleet: Fleet) -> None:
    """Do what a supervisor does."""
    for number, worker in list(fleet.workers.items()):
        if worker.poll() is not None:
            fleet.start(number)
