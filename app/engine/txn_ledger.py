"""The ledger of a running worker: decisions into a batch's transaction."""

from datetime import date

from app import metrics
from app.domain import keys
from app.domain.book import decided_of, pack, tally_of
from app.domain.decision import Decision
from app.domain.occasion import Decided, Tally
from app.domain.rules import Rulebook
from app.engine.txn import Txn
from app.engine.writing import OutputTopics, as_record, notifications


class TxnLedger:
    """Decisions into a batch's transaction."""

    keeps_facts = True
    composes = True

    def __init__(self, txn: Txn, topics: OutputTopics, rulebook: Rulebook, *, fresh: bool) -> None:
        """Write to `txn`; `fresh` notifications never grow too old to hand over."""
        self._txn = txn
        self._topics = topics
        self._rulebook = rulebook
        self._fresh = fresh

    def recall(self, account: str, rule: str, subject: str) -> Decided | None:
        """Return what was decided of the subject."""
        key = keys.decided_row(account, rule, subject)
        value = self._txn.get(key)
        return decided_of(key, value) if value is not None else None

    def remember(self, account: str, rule: str, subject: str, decided: Decided) -> None:
        """Keep it until the index calls it expired."""
        self._txn.put(keys.decided_row(account, rule, subject), pack(decided))

    def count(self, account: str, contact: str, day: date) -> int:
        """Return how many notifications the contact got that day."""
        key = keys.cap_row(account, contact)
        value = self._txn.get(key)
        tally = tally_of(key, value) if value is not None else None
        return tally.count if tally is not None and tally.day == day else 0

    def add(self, account: str, contact: str, day: date) -> None:
        """Count one more; earlier days are forgotten."""
        self._txn.put(keys.cap_row(account, contact), pack(Tally(day, self.count(account, contact, day) + 1)))

    def write(self, decision: Decision) -> None:
        """Send the decision, and where it says so the notifications."""
        key = decision.owner.encode()
        self._txn.send(self._topics.decisions, key, as_record(decision, self._rulebook.offset))
        for notification in notifications(decision, self._rulebook, fresh=self._fresh):
            self._txn.send(self._topics.outbox, key, notification)
        metrics.DECISIONS.labels(decision.rule, decision.outcome.value, decision.reason or "").inc()
