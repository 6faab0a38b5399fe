"""Values that several commands take."""

from collections.abc import Sequence
from itertools import pairwise

import typer

from app.contract.instants import Instant, parse_instant
from app.simulate.run import Pause


def instant(text: str, option: str) -> Instant:
    """Read an instant; exit with status 2 and a hint where it is none."""
    try:
        return parse_instant(text)
    except ValueError:
        raise typer.BadParameter(
            f"{option} {text!r} is no instant with an offset, such as 2026-06-01T00:00:00Z"
        ) from None


def pause(texts: Sequence[str]) -> tuple[Pause, ...]:
    """Read `FROM..TO` each, and make one of those that meet.

    Exits with status 2 where one is none, is empty, or overlaps another.
    """
    pauses = []
    for text in texts:
        begin, separator, end = text.partition("..")
        if not separator:
            raise typer.BadParameter(f"--pause {text!r} is not FROM..TO, two instants")
        pauses.append(Pause(instant(begin, "--pause"), instant(end, "--pause")))
    pauses.sort()
    for one in pauses:
        if one.begin >= one.end:
            raise typer.BadParameter("--pause must end after it begins")
    for one, following in pairwise(pauses):
        if following.begin < one.end:
            raise typer.BadParameter("two pauses overlap: make them one")
    return _met(pauses)


def _met(pauses: Sequence[Pause]) -> tuple[Pause, ...]:
    """Make one of those that end where the next begins: nothing is processed in between."""
    met: list[Pause] = []
    for one in pauses:
        begin = met.pop().begin if met and met[-1].end == one.begin else one.begin
        met.append(Pause(begin, one.end))
    return tuple(met)
