"""The triggers app with one, two and four workers, on few and on many partitions; and a million invoices restored.

Live workers with ticks every second: each partition's journal then tells by its own timestamps when it stood still.
"""

import asyncio
import os
import re
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from itertools import pairwise
from pathlib import Path
from urllib.request import urlopen

from msgspec import Struct

from app.config.check import load_dir
from app.dev import provider
from app.dev.play import lines_of
from app.dev.publish import publish_lines
from app.engine.records import COMMIT_KEY, decode_commit
from app.streams import config_apply, topics
from app.streams.client import records
from app.streams.names import Names
from app.triggers import REGISTRY
from tests.benchmarks import restoring
from tests.benchmarks.log import fill, make_topics
from tests.benchmarks.machine import BenchmarkError, broker, cores, on_core, scratch
from tests.benchmarks.report import Section, say, table
from tests.faults.cluster import Workers

CONFIG = Path(__file__).parents[2] / "deploy" / "config"
SESSION_SECONDS = 3
WORKERS, PARTITIONS = (1, 2, 4), (4, 64)
RESTORED = 1_000_000
ALL_SECONDS = 300.0
LOOK_SECONDS = 0.25
AGAIN = 2
"""Commits of every partition after which it is taken for running again."""
TICKS_HZ = os.sysconf("SC_CLK_TCK")


class Run(Struct, frozen=True):
    """One run; how long a killed worker's partitions `stood`, and the others were `silent`, in seconds."""

    partitions: int
    workers: int
    cpu_us: float
    stood: float | None
    silent: float | None


def bench(*, quick: bool) -> Section:
    """Load every combination alike, then kill one worker of several."""
    accounts, restored = (60, 20_000) if quick else (2_400, RESTORED)
    runs = []
    with scratch() as directory, broker(directory) as bootstrap:
        for partitions in PARTITIONS[:1] if quick else PARTITIONS:
            for workers in WORKERS[:2] if quick else WORKERS:
                run = asyncio.run(_run(bootstrap, directory, partitions, workers, accounts))
                say(f"  {partitions} partitions, {workers} workers: {run.cpu_us:,.0f} CPU µs a fact")
                runs.append(run)
        seconds = _restore(bootstrap, directory, restored)
    head = ["partitions", "workers", "CPU µs a fact", "taken over after a kill, s", "longest silence of the others, s"]
    rows = [[str(r.partitions), str(r.workers), f"{r.cpu_us:,.0f}", *map(_seconds, (r.stood, r.silent))] for r in runs]
    note = (
        f"CPU of all workers together, from the first fact to the last. Session {SESSION_SECONDS} s, a tick a second: a"
        f" silence of about one second is none. Restored in four partitions into one process: {restored:,} invoices,"
        f" one journal record each, in {seconds:.1f} s. Broker and workers share two cores: how throughput grows with"
        " the number of workers cannot be seen here."
    )
    return Section("scale", table(head, rows) + "\n\n" + note)


async def _run(bootstrap: str, directory: Path, partitions: int, count: int, accounts: int) -> Run:
    names = Names(f"p{partitions}w{count}-")
    state = directory / names.prefix
    state.mkdir()
    await topics.create(bootstrap, names, partitions, 1)
    await config_apply.apply(bootstrap, names.config, load_dir(CONFIG, REGISTRY), as_written=True)
    settings = {
        "WHIMBREL_KAFKA": bootstrap,
        "WHIMBREL_PREFIX": names.prefix,
        "WHIMBREL_SESSION_SECONDS": str(SESSION_SECONDS),
        "WHIMBREL_TICK_SECONDS": "1",
    }
    workers = Workers(state, settings, static=False)
    try:
        for number in range(count):
            workers.start(f"w{number}")
        await _until(lambda: _all_ready(workers), workers)
        before = _cpu(workers)
        progress = await publish_lines(bootstrap, names, lines_of(provider.history(accounts)))
        await _until(lambda: _worked_off(bootstrap, names, progress.facts), workers)
        cpu_us = (_cpu(workers) - before) / progress.facts * 1e6
        if count == 1:
            return Run(partitions, count, cpu_us, None, None)
        return Run(partitions, count, cpu_us, *await _struck(bootstrap, names, workers))
    finally:
        workers.end()


async def _struck(bootstrap: str, names: Names, workers: Workers) -> tuple[float, float]:
    """Kill one worker; return how long its partitions stood still, and how long the others did at most."""
    theirs = await asyncio.to_thread(_owned, workers, "w0")
    killed_at = time.time()
    workers.rest("w0")

    async def all_again() -> bool:
        now = await _commits(bootstrap, names, killed_at)
        return all(sum(at > killed_at for at in each) > AGAIN for each in now.values())

    await _until(all_again, workers)
    gaps = {p: _longest(each, killed_at) for p, each in (await _commits(bootstrap, names, killed_at)).items()}
    return max(gaps[p] for p in theirs), max(gap for p, gap in gaps.items() if p not in theirs)


def _owned(workers: Workers, name: str) -> set[int]:
    """Return the partitions of which the worker shows metrics."""
    port = re.search(r"metrics_port=(\d+)", workers.life(name))
    if port is None:
        raise BenchmarkError(f"{name} does not say where its metrics are")
    shown = urlopen(f"http://127.0.0.1:{port[1]}/metrics", timeout=5).read().decode()
    return {int(number) for number in re.findall(r'whimbrel_cursor_behind_seconds\{partition="(\d+)"', shown)}


def _longest(instants: list[float], since: float) -> float:
    around = [at for at in instants if at >= since - 2]
    return max((b - a for a, b in pairwise(around)), default=0.0)


async def _commits(bootstrap: str, names: Names, since: float) -> Mapping[int, list[float]]:
    """Return when each partition has committed, from shortly before `since` on."""
    found: dict[int, list[float]] = defaultdict(list)
    async for record in records(bootstrap, names.book_journal):
        if record.key == COMMIT_KEY and record.timestamp / 1_000 >= since - 5:
            found[record.partition].append(record.timestamp / 1_000)
    return found


async def _worked_off(bootstrap: str, names: Names, facts: int) -> bool:
    read: dict[int, int] = {}
    async for record in records(bootstrap, names.book_journal):
        if record.key == COMMIT_KEY and record.value is not None:
            commit = decode_commit(record.value)
            read[record.partition] = sum(commit.positions.get(topic, 0) for topic in names.facts)
    return sum(read.values()) >= facts


async def _all_ready(workers: Workers) -> bool:
    return all([await asyncio.to_thread(workers.ready, name) for name in workers.names()])


async def _until(there: Callable[[], Awaitable[bool]], workers: Workers) -> None:
    try:
        async with asyncio.timeout(ALL_SECONDS):
            while not await there():  # noqa: ASYNC110 - workers and broker tell nobody
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError as error:
        raise BenchmarkError(f"not within {ALL_SECONDS:.0f} s\n{workers.logs()}") from error


def _cpu(workers: Workers) -> float:
    """Return the CPU seconds that all workers have had."""
    total = 0
    for name in workers.names():
        stat = Path(f"/proc/{workers[name].process.pid}/stat").read_text(encoding="utf-8")
        total += sum(map(int, stat.rpartition(")")[2].split()[11:13]))
    return total / TICKS_HZ


def _restore(bootstrap: str, directory: Path, rows: int) -> float:
    """Return the seconds it takes to restore so many rows from journals that have each once."""
    asyncio.run(make_topics(bootstrap, {restoring.JOURNAL: "compact"}))
    asyncio.run(fill(bootstrap, restoring.JOURNAL, restoring.rows(rows, rows)))
    with on_core(cores()[1]):
        return asyncio.run(restoring.restored(bootstrap, directory / "restored", rows))


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
