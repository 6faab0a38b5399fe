"""Where things run: the broker on one core, the system under test on another, so that neither steals from the other."""

import os
import platform
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from app.dev.kafka import DevKafka
from app.dev.process import Process
from app.errors import WhimbrelError
from tests.benchmarks.job import Result, result_in

HEAP = "1g"
TIMEOUT_SECONDS = 300.0


class BenchmarkError(WhimbrelError):
    """A benchmark could not be carried out."""


def cores() -> tuple[int, int]:
    """Return the broker's core and the measured system's."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        raise BenchmarkError("two cores are needed: one for the broker, one for what is measured")
    return available[0], available[1]


def pinned(core: int, command: Sequence[str]) -> list[str]:
    """Return the command that runs `command` on one core."""
    return ["taskset", "--cpu-list", str(core), *command]


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Run the body, and the processes that it starts, on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def broker(directory: Path) -> Iterator[str]:
    """Run Kafka on its core; give its address."""
    kafka = DevKafka(directory / "kafka", heap=HEAP)
    with on_core(cores()[0]):
        kafka.start()
    try:
        yield kafka.bootstrap
    finally:
        kafka.kill()


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a directory that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="whimbrel-bench-") as directory:
        yield Path(directory)


def measured(command: Sequence[str], log: Path) -> Result:
    """Run a system under test on its core until it has answered."""
    with Process(pinned(cores()[1], command), log=log) as process:
        status = process.wait(TIMEOUT_SECONDS)
    result = result_in(log)
    if result is None:
        end = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise BenchmarkError(f"no answer (exit status {status}) from {' '.join(command)[:200]}:\n{end}")
    return result


def described() -> str:
    """Return date and machine, for the record, and how busy it was with other things."""
    date = datetime.now(UTC).date()
    load = os.getloadavg()[0]
    return f"{date}, {_processor()}, {os.cpu_count()} cores, load {load:.1f}, Python {platform.python_version()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
