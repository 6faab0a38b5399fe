"""The supervisor starts again what has ended, notes how, and lets go of what is to stay away. No Kafka needed."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.cluster import ENDS, KILLED, TERMINATED, Ended, Workers
from tests.faults.reasons import EXPELLED, INTRUDED
from tests.kafka.waiting import eventually

SCRIPT = """
import signal, sys, time
app = sys.argv[1]
if app == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if app == "failing":
    print("2026-06-01 00:00:00,000 CRITICAL app.streams.worker: ends: no answer")
    sys.exit(1)
if app == "begun":
    print("2026-06-01 00:00:00,000 INFO app.streams.worker: starts")
print("runs", flush=True)
time.sleep(600)
"""


@pytest.fixture
async def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Workers]:
    (tmp_path / "stand_in.py").write_text(SCRIPT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    workers = Workers(tmp_path, {}, ["stand_in"])
    supervisor = asyncio.create_task(workers.supervise())
    yield workers
    supervisor.cancel()
    workers.end()


async def runs(workers: Workers, name: str, lives: int) -> None:
    async def there() -> bool:
        return workers.logged(name).count("runs") == lives

    await eventually(there)


async def test_a_killed_worker_comes_back_until_it_has_left(workers: Workers) -> None:
    workers.start("w1")
    await runs(workers, "w1", 1)
    workers.kill("w1")
    await runs(workers, "w1", 2)
    assert workers.ended == [Ended("w1", KILLED, "runs", killed=True)]
    assert workers.life("w1") == "runs\n"
    await workers.leave("w1")
    assert workers.names() == []
    assert not workers["w1"].process.running


async def test_one_that_fails_says_why_and_comes_back(workers: Workers) -> None:
    workers.start("w1", "failing")

    async def twice() -> bool:
        return len(workers.ended) >= 2

    await eventually(twice)
    assert workers.ended[0].last == "CRITICAL app.streams.worker: ends: no answer\n"
    assert not workers.unexplained("no answer")


@pytest.mark.parametrize(
    "odd",
    [
        Ended("w1", 1, ""),
        Ended("w1", 1, "no answer"),
        Ended("w1", 1, f"{ENDS}no answer\nTraceback (most recent call last):\n  boom"),
        Ended("w1", 1, f"{ENDS}another reason"),
        Ended("w1", 1, f"{ENDS}another reason", seconds=1.0),
        Ended("w1", 0, ""),
        Ended("w1", 134, ""),
        Ended("w1", 139, "Aborted"),
        Ended("w1", KILLED, ""),
        Ended("w1", KILLED, "", seconds=1.0),
        Ended("w1", TERMINATED, ""),
        Ended("w1", TERMINATED, "", seconds=1.0, begun=True),
    ],
)
def test_an_end_that_was_not_to_be_expected_is_told(odd: Ended, tmp_path: Path) -> None:
    fine = [
        Ended("w2", KILLED, "", killed=True),
        Ended("w3", 0, "", seconds=1.0, begun=True),
        Ended("w4", 1, f"{ENDS}no answer"),
        Ended("w5", TERMINATED, "", seconds=1.0),
        Ended("w6", 1, "error: no answer"),
    ]
    workers = Workers(tmp_path, {}, ended=[odd, *fine])
    expected = f"w1 ended with {odd.status} for no reason that was to be expected: {odd.last}"
    assert workers.unexplained("no answer|no sign") == [expected]


def test_no_worker_may_end_by_itself_unless_something_else_is_said(tmp_path: Path) -> None:
    workers = Workers(tmp_path, {}, ended=[Ended("w1", 1, f"{ENDS}no answer")])
    assert len(workers.unexplained()) == 1


async def test_an_intrusion_is_told_whoever_ended_with_it(workers: Workers) -> None:
    workers.start("w1")
    await runs(workers, "w1", 1)
    workers.rest("w1")
    with workers.log("w1").open("a") as log:
        log.write(f"{ENDS}partition 1: {INTRUDED} 5, it gave 7\n")
    (said,) = workers.unexplained(EXPELLED)
    assert said.startswith("w1 was intruded upon: ")
    assert not workers.unexplained(INTRUDED)


def test_an_end_long_after_it_was_asked_for_is_told(tmp_path: Path) -> None:
    workers = Workers(tmp_path, {}, ended=[Ended("w1", 0, "", seconds=11.9), Ended("w2", 0, "", seconds=12.1)])
    assert workers.unexplained() == ["w2 ended 12 s after SIGTERM"]


async def test_who_had_begun_and_dies_of_sigterm_is_told(workers: Workers) -> None:
    workers.start("w1", "begun")
    await runs(workers, "w1", 1)
    workers.term("w1")
    await runs(workers, "w1", 2)
    assert workers.ended[0].begun
    assert len(workers.unexplained()) == 1


async def test_one_that_is_asked_to_ends_and_comes_back_and_its_seconds_are_kept(workers: Workers) -> None:
    workers.start("w1")
    await runs(workers, "w1", 1)
    workers.term("w1")
    await runs(workers, "w1", 2)
    (ended,) = workers.ended
    assert ended.status == TERMINATED
    assert ended.seconds is not None
    assert ended.in_time


async def test_one_that_does_not_end_is_named_and_killed(workers: Workers) -> None:
    workers.start("w1")
    workers.start("w2", "deaf")
    await runs(workers, "w1", 1)
    await runs(workers, "w2", 1)
    workers["w1"].process.send(signal.SIGSTOP)
    said = await asyncio.to_thread(workers.finish, 2.0)
    assert said == ["w2 hangs: alive 2 s after SIGTERM"]
    assert not workers["w2"].process.running
