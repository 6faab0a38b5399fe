"""Tables for people, and their place in docs/benchmarks.md."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from msgspec import Struct

DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"


class Goal(Struct, frozen=True):
    """A figure with what it must reach: at least, or below."""

    what: str
    figure: float
    target: float
    at_most: bool = False

    @property
    def reached(self) -> bool:
        return self.figure <= self.target if self.at_most else self.figure >= self.target

    def __str__(self) -> str:
        """Say it in a line."""
        verdict = "reached" if self.reached else "MISSED"
        return f"{verdict}: {self.what}: {self.figure:,.2f} (target {'≤' if self.at_most else '≥'} {self.target:,g})"


class Section(Struct, frozen=True):
    """What one benchmark has found: text with a table, and how its targets stand."""

    name: str
    text: str
    goals: Sequence[Goal] = ()


def say(text: str) -> None:
    """Tell whoever waits."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table that reads well as it stands; numbers to the right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [_line(head, widths), "|" + "|".join(_rule(column, width) for column, width in enumerate(widths)) + "|"]
    return "\n".join([*lines, *(_line(row, widths) for row in rows)])


def spread(figures: Sequence[float]) -> str:
    """Return median and range of whole figures."""
    if len(figures) == 1:
        return f"{figures[0]:,.0f}"
    return f"{median(figures):,.0f} [{min(figures):,.0f} to {max(figures):,.0f}]"


def record(section: Section, command: str, circumstances: str, document: Path = DOCUMENT) -> None:
    """Replace the benchmark's part of the document, between its two markers."""
    begin, end = f"<!-- bench: {section.name} -->", "<!-- end -->"
    body = f"{begin}\n`{command}`, {circumstances}\n\n{section.text}\n{end}"
    text = document.read_text(encoding="utf-8")
    parted = re.compile(re.escape(begin) + r".*?" + re.escape(end), re.DOTALL)
    if not parted.search(text):
        raise ValueError(f"{document} has no place for {section.name}: {begin} … {end}")
    document.write_text(parted.sub(lambda _: body, text), encoding="utf-8")


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.rjust(width) if column else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "| " + " | ".join(padded) + " |"


def _rule(column: int, width: int) -> str:
    return "-" * (width + 1) + ":" if column else "-" * (width + 2)
