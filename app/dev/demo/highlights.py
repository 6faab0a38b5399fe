"""Which of many decisions are shown: few enough to be read, and of as many kinds as there are."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

AT_ONCE: Final = 2
KEPT: Final = 12

Line = Mapping[str, Any]


class Highlights:
    """The decisions on show, the newest last."""

    def __init__(self) -> None:
        """Begin with none."""
        self.shown: deque[Line] = deque(maxlen=KEPT)
        self._often: Counter[tuple[Any, ...]] = Counter()

    def choose(self, new: Iterable[Line]) -> None:
        """Show up to AT_ONCE of the new decisions: those whose kind was shown least so far."""
        for _, line in zip(range(AT_ONCE), self._rarest(new), strict=False):
            self.shown.append(line)

    def _rarest(self, new: Iterable[Line]) -> Iterable[Line]:
        waiting = list(new)
        while waiting:
            line = min(waiting, key=lambda each: self._often[_kind(each)])
            waiting.remove(line)
            self._often[_kind(line)] += 1
            yield line


def _kind(line: Line) -> tuple[Any, ...]:
    return line["rule"], line["outcome"], line["reason"]
