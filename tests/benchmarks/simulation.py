"""`simulate` over a big provider's history."""

import time

from app.config.check import load_dir
from app.dev import provider
from app.domain.rules import Rulebook
from app.simulate.run import simulate
from app.triggers import REGISTRY
from tests.benchmarks.machine import cores, on_core
from tests.benchmarks.report import Section, spread, table
from tests.benchmarks.triggers import CONFIG


def bench(*, quick: bool) -> Section:
    """Simulate two months of many accounts, reading included."""
    accounts, rounds = (300, 1) if quick else (6_000, 5)
    lines = list(provider.history(accounts))
    written = load_dir(CONFIG, REGISTRY)
    rulebook = Rulebook(written.rules, written.companies)
    times, decided = [], 0
    cpu = time.process_time()
    with on_core(cores()[1]):
        for _ in range(rounds):
            begun = time.perf_counter()
            decisions, _ = simulate(lines, rulebook, provider.span())
            times.append(time.perf_counter() - begun)
            decided = len(decisions)
    cpu = time.process_time() - cpu
    row = [
        f"{accounts:,}",
        f"{len(lines):,}",
        f"{decided:,}",
        spread([len(lines) / seconds for seconds in times]),
        f"{cpu / rounds / len(lines) * 1e6:,.0f}",
    ]
    return Section("simulate", table(["accounts", "events", "decisions", "events/s", "CPU µs an event"], [row]))
