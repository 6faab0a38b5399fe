"""What the harness tells a system under test (its one argument, JSON), and what that answers (its last line)."""

import resource
import sys
import time
from pathlib import Path

import msgspec
from msgspec import Struct

RESULT = "RESULT "


class Job(Struct, frozen=True, kw_only=True):
    """One run of one system."""

    bootstrap: str
    name: str
    """Unique: consumer group, application id."""
    count: int
    """Events in the topic, each to be processed once."""
    ticks: int = 0
    """Records of the ticks topic, each to be processed once; for the triggers app alone."""
    events: str = ""
    outbox: str = ""
    journal: str = ""
    """The changelog's topic, for systems that do not choose its name themselves."""
    state: str
    """An empty directory."""
    profile: str = ""
    """Where to write a profile (pstats); empty: measure."""


class Result(Struct, frozen=True, kw_only=True):
    """What a run took, from the first event consumed until the last was processed and committed."""

    seconds: float
    cpu_us: float
    """CPU microseconds an event, of the process and in that time."""
    rss_mb: int
    """The most memory ever held."""
    journal: str
    """The changelog's topic."""


def read_job() -> Job:
    """Return this process's job."""
    return msgspec.json.decode(sys.argv[1], type=Job)


def written(job: Job) -> str:
    """Return the job as a process's argument."""
    return msgspec.json.encode(job).decode()


def result_in(log: Path) -> Result | None:
    """Return what the process that wrote `log` has answered, None where it has not."""
    for line in reversed(log.read_text(encoding="utf-8", errors="replace").splitlines()):
        if line.startswith(RESULT):
            return msgspec.json.decode(line.removeprefix(RESULT), type=Result)
    return None


class Meter:
    """The clock of one process. Begins with the first event."""

    def __init__(self) -> None:
        """Wait for the first event."""
        self.count = 0
        self.begun = 0.0
        self._cpu = 0.0

    def begin(self) -> None:
        """Start, unless it runs already."""
        if not self.begun:
            self.begun, self._cpu = time.perf_counter(), _cpu()

    def result(self, count: int, journal: str) -> Result:
        """Stop: everything is committed."""
        return Result(
            seconds=time.perf_counter() - self.begun,
            cpu_us=(_cpu() - self._cpu) / count * 1e6,
            rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            journal=journal,
        )


def answer(result: Result) -> None:
    """Tell the harness."""
    if sys.__stdout__ is None:
        raise OSError("no standard output")
    sys.__stdout__.write(f"{RESULT}{msgspec.json.encode(result).decode()}\n")
    sys.__stdout__.flush()


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
