"""What a tick is about to send, found out before the first of it is sent (ARCHITECTURE.md, section 5, Guard)."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

from app.domain.decision import Decision
from app.domain.occasion import Decided
from app.engine.ledger import Ledger
from app.engine.records import Tick


class Foresight:
    """How many recipients each rule would write to at a tick: gathered in slices, kept by nobody but this lane.

    `after` is how far the tick was done when it began, `sent` what each rule had written to within the hour.
    """

    def __init__(self, tick: Tick, after: str, sent: Mapping[str, int]) -> None:
        """Begin with the first account after `after`."""
        self.tick = tick
        self.after = after
        self.recipients: Counter[str] = Counter(sent)
        self._upto = after

    def ahead(self, accounts: Sequence[str]) -> Sequence[str]:
        """Return those of the sorted accounts that were not looked at yet."""
        return accounts[bisect_right(accounts, self._upto) :]

    def add(self, accounts: Sequence[str], counts: Mapping[str, int]) -> None:
        """Take in what the next accounts would be sent, by rule."""
        self._upto = accounts[-1]
        self.recipients.update(counts)


class Draft:
    """A ledger in which nothing is written down: it remembers over another what one trial decides."""

    keeps_facts = False
    composes = False

    def __init__(self, ledger: Ledger) -> None:
        """Begin as `ledger` stands."""
        self._ledger = ledger
        self._decided: dict[tuple[str, str, str], Decided] = {}
        self._caps: Counter[tuple[str, str, date]] = Counter()

    def recall(self, account: str, rule: str, subject: str) -> Decided | None:
        """Return what was decided of the subject, in the trial or before."""
        return self._decided.get((account, rule, subject)) or self._ledger.recall(account, rule, subject)

    def remember(self, account: str, rule: str, subject: str, decided: Decided) -> None:
        """Keep it for the trial."""
        self._decided[account, rule, subject] = decided

    def count(self, account: str, contact: str, day: date) -> int:
        """Return how many notifications the contact got that day, the trial's included."""
        return self._ledger.count(account, contact, day) + self._caps[account, contact, day]

    def add(self, account: str, contact: str, day: date) -> None:
        """Count one more in the trial."""
        self._caps[account, contact, day] += 1

    def write(self, decision: Decision) -> None:
        """Let it be."""
