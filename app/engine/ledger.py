"""Where the heart's decisions go."""

from datetime import date
from typing import Protocol

from app.domain.decision import Decision
from app.domain.occasion import Decided


class Ledger(Protocol):
    """Where decisions go, and what is remembered of them."""

    @property
    def keeps_facts(self) -> bool:
        """Whether decisions are to say by which facts they were made: that takes time."""

    @property
    def composes(self) -> bool:
        """Whether decisions to send are to come with their message: where nothing is handed on, nobody looks at it."""

    def recall(self, account: str, rule: str, subject: str) -> Decided | None:
        """Return what was decided of the subject, if anything was."""

    def remember(self, account: str, rule: str, subject: str, decided: Decided) -> None:
        """Keep it for 400 days."""

    def count(self, account: str, contact: str, day: date) -> int:
        """Return how many non-critical notifications the contact got on the local day."""

    def add(self, account: str, contact: str, day: date) -> None:
        """Count one more."""

    def write(self, decision: Decision) -> None:
        """Hand a decision on."""
