"""The demo as `make demo` runs it, with a small history and without a terminal."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.dev.jars import ToolMissingError, classpath
from tests.kafka.waiting import wait_until

WHIMBREL = Path(sys.executable).with_name("whimbrel")
SMALL = ("--accounts", "40", "--days", "20", "--day-seconds", "0.4")
SECONDS = 240
"""A machine that runs much else beside."""

pytestmark = pytest.mark.kafka


@pytest.fixture(autouse=True)
def _tools() -> None:
    try:
        classpath()
    except ToolMissingError as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must run the tests on real Kafka: {missing}")
        pytest.skip(f"NOT TESTED ON REAL KAFKA: {missing}")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "said"


@pytest.fixture
def demo(tmp_path: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The demo, just started, its output in `log`."""
    command = [str(WHIMBREL), "dev", "demo", "--data", str(tmp_path / "demo"), *SMALL]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    yield process
    process.kill()
    process.wait()
    wait_until(lambda: not left_behind(tmp_path), seconds=30)


def left_behind(tmp_path: Path) -> list[str]:
    """The processes that work on the demo's directory: each has its log open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            opened = [str(file.readlink()) for file in (process / "fd").iterdir()]
            command = (process / "cmdline").read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        if any(file.startswith(f"{tmp_path}/demo/") for file in opened):
            found.append(command.replace(b"\0", b" ").decode())
    return found


def script_of(said: str, question: str) -> str:
    """The shell's lines below a question."""
    _, _, after = said.partition(f"  {question}")
    return after.partition("\n")[2].partition("\n\n")[0]


def answer(said: str, question: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["sh", "-c", script_of(said, question)], capture_output=True, text=True, check=False)


def test_it_kills_a_worker_and_still_decides_and_delivers_as_simulate_says(
    demo: "subprocess.Popen[bytes]", tmp_path: Path, log: Path
) -> None:
    assert demo.wait(SECONDS) == 0, log.read_text()
    said = log.read_text()
    assert re.search(r"^  ✓ ([\d,]+) decisions = simulate's \1 · lost 0 · doubled 0$", said, re.MULTILINE)
    assert re.search(
        r"^  ✓ ([\d,]+) notifications sent = \1 mails in the mailbox · lost 0 · doubled 0$", said, re.MULTILINE
    )
    assert re.search(r"kill -9 \d+: trigger worker 2", said)
    assert "trigger worker 2 has caught up" in said
    assert said.index("http://127.0.0.1:") < said.index("kill -9"), "mails can be watched from the beginning"
    assert said.endswith(f"stopped 5 processes, data in {tmp_path / 'demo'} (make clean)\n")
    assert left_behind(tmp_path) == []
    differing = answer(said, "What if ")
    assert re.search(r"^[<>] {\"rule\":", differing.stdout, re.MULTILINE)
    same = answer(said, "What would be decided")
    assert re.search(r"^ *\d+ .*again.jsonl$", same.stdout, re.MULTILINE), same.stderr


@pytest.mark.parametrize(
    ("sign", "number"),
    [("Whimbrel", signal.SIGINT), ("mailbox  ", signal.SIGTERM), ("lag", signal.SIGINT)],
)
def test_interrupted_at_any_time_it_leaves_no_process_behind(
    demo: "subprocess.Popen[bytes]", tmp_path: Path, log: Path, sign: str, number: signal.Signals
) -> None:
    wait_until(lambda: sign in log.read_text(), seconds=SECONDS)
    demo.send_signal(number)
    assert demo.wait(SECONDS) == 128 + signal.SIGINT
    assert re.search(r"stopped \d processe?s?, data in ", log.read_text().splitlines()[-1])
    assert left_behind(tmp_path) == []


def test_killed_it_takes_all_its_processes_along(demo: "subprocess.Popen[bytes]", tmp_path: Path, log: Path) -> None:
    wait_until(lambda: "Watch the mails" in log.read_text(), seconds=SECONDS)
    assert len(left_behind(tmp_path)) >= 5
    demo.kill()
    wait_until(lambda: not left_behind(tmp_path), seconds=30)
