"""A simulation's decisions as lines, put in order outside the memory: it holds RUN of them, however many there are."""

import heapq
from collections.abc import Iterator
from itertools import islice
from tempfile import TemporaryFile
from typing import IO, Final, TypeAlias

import orjson
from msgspec import msgpack

from app.contract.instants import Instant
from app.domain.decision import Decision
from app.engine.writing import as_line
from app.simulate.run import Memory

RUN: Final = 200_000
BLOCK: Final = 200
"""Lines that are written, and read again, at once."""

Placed: TypeAlias = tuple[Instant, Instant, str, str, bytes]
"""decided_at, moment, rule, subject: the order of decisions (DOMAIN.md, section 4). Then the line."""

_decode = msgpack.Decoder(list[Placed]).decode


class Lines(Memory):
    """A ledger that keeps each decision as its line, as `simulate` writes it; nothing is handed on to anybody."""

    composes = False

    def __init__(self, run: int = RUN) -> None:
        """Begin empty; the disk is used from `run` lines on."""
        super().__init__()
        self.count_written = 0
        self._run = run
        self._newest: list[Placed] = []
        self._runs: list[IO[bytes]] = []

    def write(self, decision: Decision) -> None:
        """Keep its line."""
        line = orjson.dumps(as_line(decision), option=orjson.OPT_APPEND_NEWLINE)
        self._newest.append((decision.decided_at, decision.moment, decision.rule, decision.subject, line))
        self.count_written += 1
        if len(self._newest) >= self._run:
            self._runs.append(_stored(sorted(self._newest)))
            self._newest.clear()

    def in_order(self) -> Iterator[bytes]:
        """Yield all lines, once, in the order of decisions."""
        merged = heapq.merge(*map(_read, self._runs), sorted(self._newest))
        return (placed[-1] for placed in merged)


def _stored(run: list[Placed]) -> IO[bytes]:
    """Write the sorted lines to a file that is gone as soon as nobody has it open."""
    file: IO[bytes] = TemporaryFile()  # noqa: SIM115 - open until it has been read
    rest = iter(run)
    while block := list(islice(rest, BLOCK)):
        packed = msgpack.encode(block)
        file.write(len(packed).to_bytes(4) + packed)
    file.seek(0)
    return file


def _read(file: IO[bytes]) -> Iterator[Placed]:
    with file:
        while size := file.read(4):
            yield from _decode(file.read(int.from_bytes(size)))
