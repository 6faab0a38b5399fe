import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.dev.process import Process, ProcessError

HOLDER = """
import os, signal, sys
from pathlib import Path
from app.dev.process import Process
for number in (signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)  # whoever starts the tests in the background has them ignored
process = Process(["sleep", "600"], log=Path(sys.argv[1]))
print(process.pid, flush=True)
{ending}
"""


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while not gone(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def process(log: Path) -> Iterator[Process]:
    with Process(["sleep", "600"], log=log) as process:
        yield process


def hold(log: Path, ending: str) -> tuple[subprocess.Popen[str], int]:
    code = HOLDER.format(ending=ending)
    pipe = subprocess.PIPE  # for its input too: it lives as long as that is open
    holder = subprocess.Popen([sys.executable, "-c", code, str(log)], stdin=pipe, stdout=pipe, text=True)
    assert holder.stdout is not None
    return holder, int(holder.stdout.readline())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_ends_when_its_parent_is_killed_by_any_signal(log: Path, number: signal.Signals) -> None:
    holder, pid = hold(log, "sys.stdin.read()")
    assert not gone(pid)
    holder.send_signal(number)
    holder.wait()
    wait_until_gone(pid)


@pytest.mark.parametrize("ending", ["raise SystemExit(3)", "os._exit(0)", "1 / 0"])
def test_it_ends_when_its_parent_exits_in_any_way(log: Path, ending: str) -> None:
    holder, pid = hold(log, ending)
    holder.wait()
    wait_until_gone(pid)


def test_it_ends_when_its_parent_is_killed_while_a_forked_child_holds_the_link(log: Path) -> None:
    holder, pid = hold(log, "forked = os.fork(); print(forked, flush=True) if forked else None; sys.stdin.read()")
    assert holder.stdout is not None
    forked = int(holder.stdout.readline())
    holder.kill()
    holder.wait()
    wait_until_gone(pid)
    os.kill(forked, signal.SIGKILL)


def test_it_ends_when_its_guard_is_killed(process: Process) -> None:
    guard = int(Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[1])
    os.kill(guard, signal.SIGKILL)
    wait_until_gone(process.pid)


def test_its_exit_status_is_told(log: Path) -> None:
    with Process(["sh", "-c", "exit 7"], log=log) as process:
        assert process.wait(10) == 7


def test_its_output_is_appended_to_the_log(log: Path) -> None:
    log.write_text("earlier\n", encoding="utf-8")
    with Process(["sh", "-c", "echo out; echo err >&2"], log=log) as process:
        process.wait(10)
    assert log.read_text(encoding="utf-8") == "earlier\nout\nerr\n"


def test_killed_it_says_so_in_its_status(process: Process) -> None:
    assert process.kill() == 128 + signal.SIGKILL
    assert not process.running


def test_stopped_by_sigstop_it_can_still_be_ended(process: Process) -> None:
    process.send(signal.SIGSTOP)
    assert process.stop() == 128 + signal.SIGTERM


def test_one_that_ignores_sigterm_is_killed_after_its_grace(log: Path) -> None:
    ignoring = "import signal, sys; signal.signal(15, signal.SIG_IGN); print(flush=True); signal.pause()"
    with Process([sys.executable, "-c", ignoring], log=log, grace=0.2) as process:
        deadline = time.monotonic() + 10
        while not log.read_bytes():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert process.stop() == 128 + signal.SIGKILL


def test_a_command_that_does_not_exist_is_refused_by_name(log: Path) -> None:
    with pytest.raises(ProcessError, match="could not run no-such-program"):
        Process(["no-such-program"], log=log)
