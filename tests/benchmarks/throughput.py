"""Workload W through the engine and its peers, in rounds: what ran interleaved in one go can be compared."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from msgspec import Struct

from tests.benchmarks.job import Job, Result, written
from tests.benchmarks.log import Told, Verified, make_topics, preload, told_in_json, told_in_msgpack, verify
from tests.benchmarks.machine import BenchmarkError, broker, measured, scratch
from tests.benchmarks.peers import kafka_streams
from tests.benchmarks.report import Goal, Section, say, spread, table

FAUST_SHARE = 10
"""Idiomatic Faust gets a tenth of the events: it takes as long for them as the others for all."""


class System(Struct, frozen=True, kw_only=True):
    """One system under test."""

    name: str
    title: str
    command: Callable[[Job], Sequence[str]]
    told: Told
    count: int
    makes_journal: bool
    """It creates its changelog by itself."""
    at_least: float = 0.0
    """What share of its events a second the engine must reach."""


class Run(Struct, frozen=True):
    """One run of one system."""

    events_s: float
    result: Result
    verified: Verified


def bench(*, quick: bool) -> Section:
    """Run every system five times and compare the engine with each of its peers."""
    count, rounds = (20_000, 1) if quick else (300_000, 5)
    systems, skipped = _systems(count)
    runs: dict[str, list[Run]] = {system.name: [] for system in systems}
    with scratch() as directory, broker(directory) as bootstrap:
        _prepare(bootstrap, {system.count for system in systems})
        for number in range(rounds):
            for system in systems:
                run = _run(system, number, bootstrap, directory)
                runs[system.name].append(run)
                say(f"  round {number + 1}: {system.name} {run.events_s:,.0f} events/s")
    return _section(systems, runs, skipped)


def _systems(count: int) -> tuple[list[System], str]:
    missing = kafka_streams.missing()
    class_path = None if missing else kafka_streams.build()
    systems = [
        System(
            name="engine",
            title="Whimbrel's engine, trivial handler",
            command=_module("engine"),
            told=told_in_msgpack,
            count=count,
            makes_journal=False,
        ),
        System(
            name="raw",
            title="raw aiokafka, record batches",
            command=_module("raw"),
            told=told_in_json,
            count=count,
            makes_journal=False,
            at_least=0.6,
        ),
        System(
            name="faust",
            title="Faust, as documented",
            command=_module("idiomatic_faust"),
            told=told_in_json,
            count=count // FAUST_SHARE,
            makes_journal=True,
            at_least=20.0,
        ),
    ]
    if class_path is not None:
        streams = System(
            name="kstreams",
            title="Kafka Streams 4.3.1",
            command=lambda job: kafka_streams.command(job, class_path),
            told=told_in_json,
            count=count,
            makes_journal=True,
            at_least=2.5,
        )
        systems.insert(2, streams)
    return systems, f"Kafka Streams was left out: {missing}." if missing else ""


def _module(name: str) -> Callable[[Job], list[str]]:
    return lambda job: [sys.executable, "-m", f"tests.benchmarks.peers.{name}", written(job)]


def _topic(count: int) -> str:
    return f"billing.events.{count}"


def _prepare(bootstrap: str, counts: set[int]) -> None:
    asyncio.run(make_topics(bootstrap, {_topic(count): "delete" for count in counts}))
    for count in sorted(counts):
        asyncio.run(preload(bootstrap, _topic(count), count))


def _run(system: System, number: int, bootstrap: str, directory: Path) -> Run:
    name = f"{system.name}-{number}"
    job = Job(
        bootstrap=bootstrap,
        name=name,
        count=system.count,
        events=_topic(system.count),
        outbox=f"{name}-outbox",
        journal=f"{name}-journal",
        state=str(directory / name),
    )
    Path(job.state).mkdir()
    topics = {job.outbox: "delete"} if system.makes_journal else {job.outbox: "delete", job.journal: "compact"}
    asyncio.run(make_topics(bootstrap, topics))
    result = measured(system.command(job), directory / f"{name}.log")
    verified = asyncio.run(verify(bootstrap, result.journal, system.count, system.told))
    if not verified.good:
        raise BenchmarkError(f"{name}: {verified.missing} keys missing, {verified.wrong} wrong in {result.journal}")
    return Run(system.count / result.seconds, result, verified)


def _section(systems: Sequence[System], runs: dict[str, list[Run]], skipped: str) -> Section:
    speed = {name: median(run.events_s for run in each) for name, each in runs.items()}
    rows = []
    for system in systems:
        each = runs[system.name]
        rows.append(
            [
                system.title,
                f"{system.count:,}",
                spread([run.events_s for run in each]),
                f"{median(run.result.cpu_us for run in each):.1f}",
                f"{median(run.result.rss_mb for run in each):.0f}",
                f"{median(run.verified.records for run in each):,.0f}",
                f"{speed['engine'] / speed[system.name]:.2f} times",
                f"{system.at_least:g} times" if system.at_least else "",
            ]
        )
    head = ["system", "events", "events/s", "CPU µs an event", "RSS MB", "journal records", "engine is", "at least"]
    goals = [
        Goal(f"times {system.title}", speed["engine"] / speed[system.name], system.at_least)
        for system in systems
        if system.at_least
    ]
    rounds = len(runs["engine"])
    note = (
        f"Medians [and ranges] of {rounds} interleaved rounds; every journal held the newest version of every key."
        f" Faust had a tenth of the events. {skipped}"
    )
    return Section("throughput", table(head, rows) + "\n\n" + note.strip(), goals)
