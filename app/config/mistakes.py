"""What is wrong in the configuration's files: all of it, each with its place."""

from pathlib import Path
from typing import NamedTuple

from app.errors import WhimbrelError


class Mistake(NamedTuple):
    """One thing to mend: `line` counts from 1, `field` is a path as `send.at` (empty: the file as a whole)."""

    file: str
    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        """Return `rules.yaml:12: x: reason`."""
        field = f"{self.field}: " if self.field else ""
        return f"{self.file}:{self.line}: {field}{self.reason}"


class ConfigError(WhimbrelError):
    """The configuration has mistakes; nothing of it is taken."""

    def __init__(self, directory: Path, mistakes: list[Mistake]) -> None:
        """Keep `mistakes`, ordered by place; the message has one line for each."""
        self.mistakes = tuple(sorted(mistakes))
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__("\n".join([f"{count} in {directory}, nothing was taken:", *map(str, self.mistakes)]))
