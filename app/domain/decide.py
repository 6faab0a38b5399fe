"""The outcome of one occasion, and its reason (DOMAIN.md, section 4.1)."""

from collections.abc import Callable, Iterable

import msgspec

from app.contract.instants import MINUTE, Instant
from app.domain.account import Contact
from app.domain.audience import Recipient, recipients
from app.domain.occasion import Decided, Occasion, Outcome, Reason
from app.domain.rules import Rule

ON_TIME = 15 * MINUTE
"""Decided more than this after its moment is late; read more than this after its time is backlog."""


class Circumstances(msgspec.Struct, frozen=True):
    """What a decision depends on, as it stands at `at`.

    `rule`: the version in force at `at`; `decided`: what was decided of the subject before; `waited`: time spent held,
    which does not count as late; the callables are asked only if nothing before them has settled it.
    """

    at: Instant
    rule: Rule | None
    decided: Decided | None
    holds: Callable[[], bool]
    contacts: Callable[[], Iterable[Contact]]
    superseded: bool = False
    waited: int = 0


class Verdict(msgspec.Struct, frozen=True):
    """What becomes of the occasion."""

    outcome: Outcome
    reason: Reason | None = None
    recipients: tuple[Recipient, ...] = ()


def decide(occasion: Occasion, given: Circumstances) -> Verdict:
    """Return the first that applies, in the order of section 4.1."""
    early = changed_or_duplicate(occasion, given.rule, given.decided)
    if early is not None:
        return early
    if not given.holds():
        return Verdict(Outcome.SKIPPED, Reason.NO_LONGER_TRUE)
    if given.rule is None or too_late(occasion, given.rule, given.at - given.waited):
        return Verdict(Outcome.SKIPPED, Reason.LATE)
    if given.superseded:
        return Verdict(Outcome.SUPERSEDED)
    chosen = recipients(given.contacts())
    if isinstance(chosen, Reason):
        return Verdict(Outcome.SKIPPED, chosen)
    return Verdict(Outcome.SENT, None, chosen)


def changed_or_duplicate(occasion: Occasion, rule: Rule | None, decided: Decided | None) -> Verdict | None:
    """Return what is decided even of an account that is not known yet."""
    if decided is not None and decided.committed not in (None, occasion.moment):
        return Verdict(Outcome.SKIPPED, Reason.DUPLICATE)
    if not unchanged(occasion, rule):
        return Verdict(Outcome.SKIPPED, Reason.RULE_CHANGED)
    return None


def unchanged(occasion: Occasion, rule: Rule | None) -> bool:
    """Whether the version in force is still the same trigger with the same X, and enabled."""
    return rule is not None and rule.enabled and (rule.trigger, rule.x) == (occasion.trigger, occasion.x)


def is_late(occasion: Occasion, at: Instant) -> bool:
    """Whether `at` is more than 15 minutes after the moment."""
    return at - occasion.moment > ON_TIME


def too_late(occasion: Occasion, rule: Rule, at: Instant) -> bool:
    """Whether the rule's policy no longer lets it be sent at `at`."""
    if not is_late(occasion, at):
        return False
    return rule.late.policy == "skip" or at - occasion.moment > rule.late.within
