"""Worker processes on a real broker, killed, stopped, ended: nothing is lost, nothing counted twice."""

import asyncio
import random
import signal
import time
from pathlib import Path

import pytest

from app.dev.kafka import DevKafka
from app.streams import topics
from app.streams.names import Names
from tests.kafka.fleet import Fleet, end_of, running
from tests.kafka.waiting import eventually, wait_until

pytestmark = pytest.mark.kafka

PARTITIONS = 4
RATE = 60
"""Facts published at once; about 20 such a second."""


@pytest.fixture
async def fleet(kafka: DevKafka, names: Names, tmp_path: Path) -> Fleet:
    await topics.create(kafka.bootstrap, names, PARTITIONS, 1)
    return Fleet(kafka.bootstrap, names, tmp_path)


def some_facts(names: Names, count: int, seed: int = 1) -> list[tuple[str, str]]:
    chance = random.Random(seed)
    return [(chance.choice(names.facts), f"k{chance.randrange(200)}") for _ in range(count)]


async def all_told(fleet: Fleet, seconds: float = 60.0) -> int:
    """Wait until every fact has an output; return the repeats."""
    expected = await fleet.expected()
    wanted = sum(counts.total() for counts in expected.values())

    async def told() -> bool:
        facts, _, _ = await fleet.outputs()
        return len(facts) >= wanted

    await eventually(told, seconds)
    facts, _, repeats = await fleet.outputs()
    assert len(facts) == wanted
    return repeats


async def rows_index_and_journal_agree(fleet: Fleet) -> None:
    """Compare, once all workers have ended; the newest copy of each partition must equal journal and facts."""
    expected = await fleet.expected()
    for partition in range(PARTITIONS):
        journal = await fleet.journal(partition)
        rows = {key: value for key, value in journal.items() if not key.startswith(b"~")}
        assert {key.decode(): int(value) for key, value in rows.items()} == dict(expected.get(partition, {}))
        copies = []
        for store in fleet.stores(partition):
            stored = dict(store.scan(b""))
            derived = sorted((index, key) for key, value in stored.items() for index in store.index(key, value))
            assert store.due(b"", b"\xff") == derived, "the index is that of the rows, in every copy"
            copies.append((store.offset, stored))
        newest = max(copies, key=lambda copy: copy[0])
        assert newest[1] == rows


async def test_facts_of_all_topics_are_counted_and_a_stop_takes_seconds(fleet: Fleet) -> None:
    await fleet.publish(some_facts(fleet.names, 1_000))
    with running(fleet, 2):
        await all_told(fleet)
        begun = time.monotonic()
        fleet.stop()
        assert time.monotonic() - begun < 10
        assert [worker.returncode for worker in fleet.workers.values()] == [0, 0]
    await rows_index_and_journal_agree(fleet)


async def test_killed_again_and_again_nothing_is_lost_or_counted_twice(fleet: Fleet) -> None:
    chance = random.Random(7)
    with running(fleet, 2):
        for step in range(32):  # facts come after the last kill, too: every partition is taken up again
            await fleet.publish(some_facts(fleet.names, RATE, seed=step))
            await asyncio.sleep(0.3)  # the load's pace, not a wait for anything
            if step % 5 == 4:
                number = chance.randrange(2)
                fleet.kill(number)
                fleet.start(number)
        repeats = await all_told(fleet)
        fleet.stop()
    await rows_index_and_journal_agree(fleet)
    assert repeats >= 0


async def test_a_worker_stopped_beyond_its_session_writes_nothing_more_and_ends(fleet: Fleet) -> None:
    names = fleet.names
    with running(fleet, 1):
        await fleet.publish(some_facts(names, 500))
        await all_told(fleet)
        fleet.signal(0, signal.SIGSTOP)
        await fleet.publish(some_facts(names, 500, seed=2))
        fleet.start(1)
        await all_told(fleet)
        before = [await end_of(fleet.bootstrap, names.book_journal, p) for p in range(PARTITIONS)]
        fleet.signal(0, signal.SIGCONT)
        assert fleet.workers[0].wait(30) == 1
        assert "ends:" in fleet.logged(0)
        await fleet.publish(some_facts(names, 100, seed=3))
        await all_told(fleet)
        fleet.workers.pop(0)
        fleet.stop()
        after = [await end_of(fleet.bootstrap, names.book_journal, p) for p in range(PARTITIONS)]
        assert all(a > b for a, b in zip(after, before, strict=True))
    await rows_index_and_journal_agree(fleet)


async def test_a_moved_partition_is_restored_from_its_journal(fleet: Fleet) -> None:
    with running(fleet, 1):
        await fleet.publish(some_facts(fleet.names, 1_000))
        await all_told(fleet)
        fleet.stop()
        fleet.start(1)
        await fleet.publish(some_facts(fleet.names, 1_000, seed=2))
        await all_told(fleet)
        fleet.stop()
    await rows_index_and_journal_agree(fleet)


async def test_a_second_worker_takes_over_half_and_gives_it_back(fleet: Fleet) -> None:
    with running(fleet, 1):
        await fleet.publish(some_facts(fleet.names, 300))
        await all_told(fleet)
        fleet.start(1)
        await asyncio.to_thread(wait_until, lambda: fleet.logged(1).count("lane runs") >= PARTITIONS // 2)
        await fleet.publish(some_facts(fleet.names, 300, seed=2))
        await all_told(fleet)
        fleet.kill(1)
        await fleet.publish(some_facts(fleet.names, 300, seed=3))
        await all_told(fleet)
        fleet.stop()
    await rows_index_and_journal_agree(fleet)


async def test_what_the_group_refuses_ends_the_worker_and_is_said(fleet: Fleet) -> None:
    refused = Fleet(fleet.bootstrap, fleet.names, fleet.directory, WHIMBREL_SESSION_SECONDS="9000")
    with running(refused, 1):
        assert refused.workers[0].wait(30) == 1
    assert "ends: cannot be a member of group" in refused.logged(0)
    assert "set WHIMBREL_SESSION_SECONDS" in refused.logged(0)
    assert "Traceback" not in refused.logged(0).partition("ends:")[2]
