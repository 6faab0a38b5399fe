"""`whimbrel simulate` over a big provider's year: the command as it is typed, reading and writing included."""

import os
import subprocess
import sys
import time
from hashlib import file_digest
from pathlib import Path

from msgspec import Struct

from tests.benchmarks import year
from tests.benchmarks.machine import BenchmarkError, cores, pinned, scratch
from tests.benchmarks.report import Goal, Section, table

ACCOUNTS = 50_000
RUNS = 2
TARGET = 15_000
MOST_MIB = 1_536


class Run(Struct, frozen=True):
    """What one run took, and what came of it."""

    decisions: int
    seconds: float
    cpu_seconds: float
    rss_mib: int
    digest: str


def bench(*, quick: bool) -> Section:
    """Simulate a year of 50,000 accounts by 20 rules, twice, on one core: both must write the same."""
    accounts = 500 if quick else ACCOUNTS
    with scratch() as directory:
        config, events = year.config(directory), directory / "events.jsonl"
        # In a process of its own: a child's peak RSS is at least what its parent had when it forked.
        subprocess.run([sys.executable, "-m", "tests.benchmarks.year", str(accounts), str(events)], check=True)
        with events.open("rb") as file:
            count = sum(1 for _ in file)
        runs = [_run(config, events, directory / "decisions.jsonl") for _ in range(RUNS)]
    if len({run.digest for run in runs}) != 1:
        raise BenchmarkError("two runs of simulate over the same events wrote different decisions")
    head = ["accounts", "events", "decisions", "s", "events and decisions/s", "CPU µs each", "RSS MiB", "SHA-256"]
    rows = [_row(accounts, count, run) for run in runs]
    goals = [
        Goal("events and decisions a second", max(_rate(count, run) for run in runs), TARGET),
        Goal("RSS in MiB", max(run.rss_mib for run in runs), MOST_MIB, at_most=True),
    ]
    return Section("simulate", table(head, rows), goals)


def _run(config: Path, events: Path, output: Path) -> Run:
    begin, until = year.bounds()
    given = {"--config": config, "--events": events, "--from": begin, "--until": until, "--output": output}
    command = [sys.executable, "-m", "app", "simulate", *(str(word) for pair in given.items() for word in pair)]
    begun = time.perf_counter()
    with subprocess.Popen(pinned(cores()[1], command)) as child:
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begun
    if child.returncode:
        raise BenchmarkError(f"simulate ended with exit status {child.returncode}")
    with output.open("rb") as file:
        decisions = sum(1 for _ in file)
        file.seek(0)
        digest = file_digest(file, "sha256").hexdigest()
    return Run(decisions, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024, digest)


def _rate(events: int, run: Run) -> float:
    return (events + run.decisions) / run.seconds


def _row(accounts: int, events: int, run: Run) -> list[str]:
    return [
        f"{accounts:,}",
        f"{events:,}",
        f"{run.decisions:,}",
        f"{run.seconds:,.1f}",
        f"{_rate(events, run):,.0f}",
        f"{run.cpu_seconds / (events + run.decisions) * 1e6:,.1f}",
        f"{run.rss_mib:,}",
        run.digest[:12],
    ]
