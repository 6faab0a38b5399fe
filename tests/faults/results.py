"""What is kept of each run: a line for people, and one of JSON in `.faults/results.jsonl`, where the tests are run."""

from pathlib import Path
from typing import Any

import msgspec

RESULTS = Path(".faults") / "results.jsonl"
STRUCK = ("kill", "stop", "term")


class Result(msgspec.Struct, kw_only=True):
    """One run's figures. `wrong` is empty where everything is as it must be."""

    name: str
    seed: int
    at: str
    seconds: float
    facts: int
    decisions: int
    faults: dict[str, int]
    missing: int = 0
    extra: int = 0
    found: int = 0
    mails: int = 0
    accepted: int = 0
    lost: int = 0
    doubled: int = 0
    unknown: int = 0
    dead: int = 0
    repeats: int = 0
    differences: int = 0
    stall: float = 0.0
    ends: dict[str, int] = {}
    """How workers ended before the last stop, by status."""
    wrong: list[str] = []

    def line(self) -> str:
        """Return the run in one line."""
        ends = ", ".join(f"{status}: {times}" for status, times in sorted(self.ends.items())) or "none"
        faults = ", ".join(f"{what} {times}" for what, times in sorted(self.faults.items())) or "none"
        return (
            f"{self.name} seed {self.seed} | load {self.facts} facts, {self.decisions} decisions | faults {faults}"
            f" | decisions {self.decisions}/{self.found}/{self.missing}/{self.extra}"
            f" | mails {self.mails}/{self.accepted}/{self.lost}/{self.doubled}/{self.unknown}"
            f" | state differences {self.differences} | longest stall {self.stall:.1f} s"
            f" | ends {ends} | {'ok' if not self.wrong else 'WRONG'} in {self.seconds:.0f} s"
        )


this_session: list[Result] = []


def keep(result: Result, path: Path = RESULTS) -> None:
    """Append a result."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as results:
        results.write(msgspec.json.encode(result) + b"\n")


def kept(path: Path = RESULTS) -> list[Result]:
    """Return all results; none where nothing ran yet."""
    lines: list[bytes] = path.read_bytes().splitlines() if path.exists() else []
    return [msgspec.json.decode(line, type=Result) for line in lines]


def struck(faults: dict[str, Any]) -> int:
    """Return how many kills and stops those are, of workers and brokers."""
    return sum(times for what, times in faults.items() if what.startswith(STRUCK))
