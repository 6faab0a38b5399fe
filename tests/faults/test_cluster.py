"""The supervisor starts again what has ended, notes how, and lets go of what is to stay away. No Kafka needed."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults import nemesis
from tests.faults.cluster import ENDS, KILLED, TERMINATED, Ended, Workers
from tests.faults.nemesis import Nemesis, kill, stop, term
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
if app == "working":
    time.sleep(0.5)
    print("INFO app.streams.lanes: assigned partitions=[0, 2]\\nINFO app.streams.lanes: lane runs partition=2")
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
    workers.log("w1").write_text(f"{ENDS}partition 0: {INTRUDED} 5, it gave 7, in another run\n")
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


async def test_one_that_lives_and_is_silent_is_named_and_one_that_is_not_wanted_is_not(workers: Workers) -> None:
    for name in ("w1", "w2"):
        workers.start(name)
        await runs(workers, name, 1)
    await workers.leave("w2")
    assert await workers.unready(0.3) == ["w1 is not ready after 0 s: it does not answer"]


async def test_one_that_says_that_it_is_not_ready_is_quoted(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    said = iter(["restores", "restores", "ready"])
    monkeypatch.setattr(Workers, "readiness", lambda _self, name: next(said) if name == "w1" else "restores")
    workers.start("w1")
    workers.start("w2")
    assert await workers.unready(1.0) == ["w2 is not ready after 1 s: restores"]


async def test_all_have_the_same_seconds_to_end(workers: Workers) -> None:
    for name in ("w1", "w2", "w3"):
        workers.start(name, "deaf")
        await runs(workers, name, 1)
    begun = time.monotonic()
    said = await asyncio.to_thread(workers.finish, 1.0)
    assert len(said) == 3
    assert time.monotonic() - begun < 2.5


async def test_one_that_has_ended_by_itself_a_moment_before_is_judged(tmp_path: Path) -> None:
    (tmp_path / "stand_in.py").write_text(SCRIPT)
    workers = Workers(tmp_path, {"PYTHONPATH": str(tmp_path)}, ["stand_in"])  # and no supervisor
    workers.start("w1", "failing")
    await asyncio.to_thread(workers["w1"].process.wait)
    assert not await asyncio.to_thread(workers.finish)
    assert len(workers.unexplained()) == 1


async def test_a_worker_is_struck_by_its_ends_but_good_ones_and_by_stops(workers: Workers) -> None:
    workers.start("w1")
    await runs(workers, "w1", 1)
    assert workers.strikes("triggers") == 0
    workers.stop("w1")
    workers.cont("w1")
    assert workers.strikes("triggers") == 1
    workers.kill("w1")
    await runs(workers, "w1", 2)
    assert workers.strikes("triggers") == 2
    await workers.leave("w1")
    assert workers.strikes("triggers") == 2
    assert workers.strikes("sender") == 0


async def test_a_strike_waits_until_its_victim_is_at_work(workers: Workers) -> None:
    strikes = Nemesis("seed")
    for what, fault in (("kill", kill(workers)), ("term", term(workers)), ("stop", stop(workers, [0.1]))):
        workers.start("w1", "working")
        await strikes.strike(what, fault)
        workers.rest("w1")
    assert [each.whom for each in strikes.strikes] == ["w1 at work", "w1 at work", "w1 at work for 0.1 s"]
    assert not strikes.missed("kill", "term", "stop")


async def test_one_that_does_not_come_to_work_is_struck_as_it_is(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nemesis, "PATIENCE", 0.2)
    workers.start("w1")
    strikes = Nemesis("seed")
    await strikes.strike("kill", kill(workers))
    await runs(workers, "w1", 1)
    assert strikes.counts == {"kill": 1}
    assert strikes.missed("kill", "term") == ["kill", "term"]
