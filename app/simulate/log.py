"""A log's lines, put together by whose they are: what one account is told can be played without the others."""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from app.contract.codec import subject_of

Numbered: TypeAlias = tuple[int, bytes]
"""A line and its number, from 1 on."""


def by_subject(lines: Iterable[bytes]) -> Iterator[list[Numbered]]:
    """Yield the lines of each account or user, in log order; those that name nobody come together.

    All of the log is in memory at first. What has been yielded is let go.
    """
    found: dict[str | None, list[Numbered]] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            found.setdefault(subject_of(line), []).append((number, line))
    for whose in tuple(found):  # to look for the first key anew each time takes as long as all that are gone
        yield found.pop(whose)
