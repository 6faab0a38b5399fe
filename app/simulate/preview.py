"""What a rule would send for an event, decided by the same heart: for whoever writes rules and templates."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from app.contract.codec import Fact
from app.contract.instants import DAY
from app.domain.companies import Company
from app.domain.decision import Decision
from app.domain.occasion import Outcome
from app.domain.rules import Rule, Rulebook
from app.engine.outbox import Notification, decode_notification
from app.engine.writing import notifications
from app.simulate.run import Span, simulate
from app.triggers import REGISTRY
from app.triggers.base import DayTrigger

AHEAD: Final = 31 * DAY
"""How far is looked for what an event rule holds: hours and holidays open well before."""
DAYS_AHEAD: Final = 5 * 366 * DAY
"""How far is looked for a day rule's day: cards live long."""


class Foreseen(msgspec.Struct, frozen=True):
    """What the rule decides from the event's time on, and the notifications of the first decision to send."""

    decisions: Sequence[Decision]
    sent: Decision | None
    notifications: Sequence[Notification]


def newest(rules: Iterable[Rule], rule_id: str) -> Rule | None:
    """Return the newest version of the rule, None where there is none."""
    versions = [rule for rule in rules if rule.id == rule_id]
    return max(versions, key=lambda rule: -(1 << 63) if rule.enabled_at is None else rule.enabled_at, default=None)


def foresee(rule: Rule, companies: Mapping[str, Company], before: Sequence[bytes], event: bytes, at: Fact) -> Foreseen:
    """Decide by this rule alone, enabled since ever, what comes up from the event on; nothing happens after it.

    Args:
        rule: The rule to try.
        companies: All companies, by id.
        before: Earlier events, one a line: they give the account.
        event: The event's line; `at` is what it says.
        at: The event.
    """
    rulebook = Rulebook([replace(rule, enabled=True, enabled_at=None)], companies)
    ahead = DAYS_AHEAD if isinstance(REGISTRY[rule.trigger], DayTrigger) else AHEAD
    span = Span(at.time, at.time + ahead)
    decisions = [d for d in simulate([*before, event], rulebook, span)[0] if d.owner == at.subject]
    anyway = {(d.subject, d.moment, d.outcome) for d in simulate(before, rulebook, span)[0]}
    to_send = [d for d in decisions if d.outcome is Outcome.SENT]
    called_up = [d for d in to_send if (d.subject, d.moment, d.outcome) not in anyway]
    sent = next(iter(called_up or to_send), None)
    records = notifications(sent, rulebook, fresh=True) if sent else ()
    return Foreseen(decisions, sent, [decode_notification(record) for record in records])
