"""A simulation's decisions as lines, held in memory until they are put in order."""

from collections.abc import Iterator
from typing import TypeAlias

import orjson

from app.contract.instants import Instant
from app.domain.decision import Decision
from app.engine.writing import as_line
from app.simulate.run import Memory

Placed: TypeAlias = tuple[Instant, Instant, str, str, bytes]
"""decided_at, moment, rule, subject: the order of decisions (DOMAIN.md, section 4). Then the line."""


class Lines(Memory):
    """A ledger that keeps each decision as its line, as `simulate` writes it; nothing is handed on to anybody."""

    composes = False

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__()
        self._lines: list[Placed] = []

    @property
    def count_written(self) -> int:
        """How many decisions there are."""
        return len(self._lines)

    def write(self, decision: Decision) -> None:
        """Keep its line."""
        line = orjson.dumps(as_line(decision), option=orjson.OPT_APPEND_NEWLINE)
        # A copy has the size of the line; orjson's own bytes keep the room they were written in: ten times that.
        copied = bytes(memoryview(line))
        self._lines.append((decision.decided_at, decision.moment, decision.rule, decision.subject, copied))

    def in_order(self) -> Iterator[bytes]:
        """Yield all lines in the order of decisions."""
        self._lines.sort()
        return (line for *_, line in self._lines)
