import os
import signal
import time
from pathlib import Path

import pytest

from app.dev.demo.crew import Crew, CrewError, Role

WAITING = ("sh", "-c", "echo $WHIMBREL_WORKER; exec sleep 600")


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def a_role(tmp_path: Path, name: str = "worker", command: tuple[str, ...] = WAITING) -> Role:
    return Role(name, command, {"worker": "w1"}, tmp_path / "logs" / f"{name}.log")


class FakeBroker:
    def __init__(self) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False


def test_all_are_stopped_and_counted_and_the_broker_too(tmp_path: Path) -> None:
    crew, broker = Crew(), FakeBroker()
    pids = [crew.start(a_role(tmp_path, name)) for name in ("one", "two")]
    crew.serve(broker)
    assert crew.stop() == 3
    assert all(map(gone, pids))
    assert not broker.running
    assert crew.stop() == 0


def test_one_that_was_killed_is_started_again_and_is_no_failure(tmp_path: Path) -> None:
    crew = Crew()
    first = crew.start(a_role(tmp_path))
    assert crew.kill("worker") == first
    assert gone(first)
    crew.check()
    assert crew.start_again("worker") != first
    assert crew.stop() == 1


def test_one_that_ends_by_itself_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    crew = Crew()
    pid = crew.start(a_role(tmp_path, command=("sh", "-c", "echo no disk; exec sleep 600")))
    deadline = time.monotonic() + 10
    while not (tmp_path / "logs" / "worker.log").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(pid, signal.SIGTERM)
    while crew.status("worker") is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with pytest.raises(CrewError, match=r"worker ended by itself, status 143(?s:.*)no disk"):
        crew.check()


def test_a_process_has_its_own_settings_and_none_of_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHIMBREL_PREFIX", "live.")
    crew, log = Crew(), tmp_path / "logs" / "env.log"
    crew.start(Role("env", ("sh", "-c", "env; exec sleep 600"), {"worker": "w1"}, log))
    deadline = time.monotonic() + 10
    while "PATH=" not in log.read_text() or "WHIMBREL_WORKER=w1" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    crew.stop()
    assert "WHIMBREL_PREFIX" not in log.read_text()


def test_a_broker_that_ends_by_itself_is_told() -> None:
    crew, broker = Crew(), FakeBroker()
    crew.serve(broker)
    crew.check()
    broker.running = False
    with pytest.raises(CrewError, match="Kafka ended by itself"):
        crew.check()
