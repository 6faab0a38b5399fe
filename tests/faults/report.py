"""`python -m tests.faults.report [RESULTS.jsonl]`: the table of all runs, in Markdown, a row for each scenario."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.faults.results import RESULTS, Result, kept, struck

HEAD = (
    "scenario",
    "runs",
    "load: facts, decisions",
    "faults",
    "decisions found, missing, extra",
    "mails expected, taken, lost, doubled, unknown",
    "state differences",
    "longest stall",
)


def table(results: Sequence[Result]) -> list[str]:
    """Return the table's lines: scenarios in the order of their first run, and what all of them come to."""
    by_name: dict[str, list[Result]] = {}
    for result in results:
        by_name.setdefault(result.name, []).append(result)
    lines = [_row(HEAD), _row(["---"] * len(HEAD))]
    lines += [_row(_cells(name, runs)) for name, runs in by_name.items()]
    if results:
        lines += ["", _sum(results)]
    return lines


def _cells(name: str, runs: Sequence[Result]) -> Iterator[str]:
    wrong = sum(bool(run.wrong) for run in runs)
    yield name + (f" (**{wrong} wrong**)" if wrong else "")
    yield str(len(runs))
    yield _added(runs, "facts", "decisions")
    yield ", ".join(f"{what} {times}" for what, times in sorted(_faults(runs).items())) or "none"
    yield _added(runs, "found", "missing", "extra")
    yield _added(runs, "mails", "accepted", "lost", "doubled", "unknown")
    yield _added(runs, "differences")
    yield f"{max(run.stall for run in runs):.1f} s"


def _faults(runs: Sequence[Result]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for run in runs:
        for what, times in run.faults.items():
            counts[what] = counts.get(what, 0) + times
    return counts


def _added(runs: Sequence[Result], *names: str) -> str:
    return ", ".join(f"{sum(getattr(run, name) for run in runs):,}" for name in names)


def _row(cells: Iterator[str] | Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _sum(results: Sequence[Result]) -> str:
    days = sorted({run.at[:10] for run in results})
    between = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    wrong = sum(bool(run.wrong) for run in results)
    return (
        f"{len(results)} runs, {between}, seeds {', '.join(map(str, sorted({run.seed for run in results})))}:"
        f" {struck(_faults(results))} kills and stops, {wrong} runs wrong."
        f" Decisions expected, missing, extra: {_added(results, 'decisions', 'missing', 'extra')}."
        f" Mails expected, lost, doubled, unknown: {_added(results, 'mails', 'lost', 'doubled', 'unknown')}."
    )


if __name__ == "__main__":
    sys.stdout.write("\n".join(table(kept(Path(sys.argv[1]) if sys.argv[1:] else RESULTS))) + "\n")
