"""What the demo plays, how fast, and where its files are."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.contract.instants import MINUTE, Instant
from app.dev import provider
from app.simulate.run import Span

PARTITIONS: Final = 4
TICK: Final[Instant] = 10 * MINUTE


@dataclass(frozen=True)
class Plan:
    """The provider's history and its pace; everything that the demo writes is below `directory`."""

    directory: Path
    accounts: int
    days: int
    seed: int
    day_seconds: float
    """Seconds that a simulated day takes at least."""

    @property
    def span(self) -> Span:
        """The time that the history is about."""
        return provider.span(self.days)

    @property
    def history(self) -> Path:
        """The provider's events, one a line."""
        return self.directory / "history.jsonl"

    @property
    def config(self) -> Path:
        """The rules and companies that are in force."""
        return self.directory / "config"

    @property
    def what_if(self) -> Path:
        """A copy of the configuration to try changes on."""
        return self.directory / "what-if"

    @property
    def simulated(self) -> Path:
        """What `simulate` decides, one a line."""
        return self.directory / "simulated.jsonl"

    def log(self, name: str) -> Path:
        """Where a process writes."""
        return self.directory / "logs" / f"{_file(name)}.log"

    def state(self, name: str) -> Path:
        """A worker's own store."""
        return self.states / _file(name)

    @property
    def states(self) -> Path:
        """What holds the workers' stores."""
        return self.directory / "state"


def _file(name: str) -> str:
    return name.replace(" ", "-")
