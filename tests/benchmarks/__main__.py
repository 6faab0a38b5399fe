"""`python -m tests.benchmarks [--quick] [--only NAME]`: measure, print, and keep the figures in docs/benchmarks.md."""

import argparse
import sys
from typing import Protocol

from app.errors import WhimbrelError
from tests.benchmarks import day, restoring, scale, simulation, throughput, triggers
from tests.benchmarks.machine import described
from tests.benchmarks.report import Goal, Section, record, say


class Bench(Protocol):
    """One benchmark: small and unrecorded if `quick`."""

    def __call__(self, *, quick: bool) -> Section: ...


BENCHES: dict[str, Bench] = {
    "throughput": throughput.bench,
    "triggers": triggers.bench,
    "restore": restoring.bench,
    "day": day.bench,
    "simulate": simulation.bench,
    "scale": scale.bench,
}


def main() -> int:
    """Run the benchmarks asked for; exit status 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small, once, and not written down")
    parser.add_argument("--only", choices=BENCHES, action="append", help="this one; repeatable")
    options = parser.parse_args()
    missed: list[Goal] = []
    circumstances = described()
    say(circumstances)
    for name in options.only or BENCHES:
        say(f"{name} ...")
        section = BENCHES[name](quick=options.quick)
        say("\n".join(["", section.text, "", *map(str, section.goals), ""]))
        if not options.quick:
            command = "make bench" if not options.only else f"python -m tests.benchmarks --only {name}"
            record(section, command, circumstances)
            missed += [goal for goal in section.goals if not goal.reached]
    return 1 if missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except WhimbrelError as error:
        sys.exit(f"error: {error}")
