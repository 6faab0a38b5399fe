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


class Hold(msgspec.Struct, frozen=True):
    """Why nothing may be sent now, and from when on again; None: when an operator says so."""

    reason: Reason
    release: Instant | None


class Circumstances(msgspec.Struct, frozen=True):
    """What a decision depends on, as it stands at `at`.

    `rule`: the version in force at `at`; `decided`: what was decided of the subject before; `reckoned`: the instant by
    which it is late or not, for time spent held does not count; `capped`: it was held by the cap before. The callables
    are asked only if nothing before them has settled it.
    """

    at: Instant
    rule: Rule | None
    decided: Decided | None
    holds: Callable[[], bool]
    passes: Callable[[], bool]
    contacts: Callable[[], Iterable[Contact]]
    hold: Callable[[tuple[Recipient, ...]], Hold | None]
    superseded: Callable[[], bool]
    reckoned: Instant
    capped: bool = False


class Verdict(msgspec.Struct, frozen=True):
    """What becomes of the occasion; what is held until when."""

    outcome: Outcome
    reason: Reason | None = None
    recipients: tuple[Recipient, ...] = ()
    release: Instant | None = None


def decide(occasion: Occasion, given: Circumstances) -> Verdict:
    """Return the first that applies, in the order of section 4.1."""
    rule = given.rule
    early = changed_or_duplicate(occasion, rule, given.decided)
    if early is not None or rule is None:
        return early or skipped(Reason.RULE_CHANGED)
    reason = _never(occasion, rule, given)
    if reason is not None:
        return skipped(reason)
    return Verdict(Outcome.SUPERSEDED) if given.superseded() else _sent_or_held(occasion, rule, given)


def _never(occasion: Occasion, rule: Rule, given: Circumstances) -> Reason | None:
    if not given.holds():
        return Reason.NO_LONGER_TRUE
    if not given.passes():
        return Reason.FILTERED
    if occasion.expires_at is not None and occasion.expires_at <= given.at:
        return Reason.EXPIRED
    return Reason.LATE if too_late(occasion, rule, given.reckoned) else None


def _sent_or_held(occasion: Occasion, rule: Rule, given: Circumstances) -> Verdict:
    chosen = recipients(given.contacts(), critical=rule.critical)
    if isinstance(chosen, Reason):
        return skipped(chosen)
    hold = None if rule.critical else given.hold(chosen)
    if hold is None:
        return Verdict(Outcome.SENT, None, chosen)
    if hold.reason is Reason.CAPPED and given.capped and given.at - occasion.moment > rule.late.within:
        return skipped(Reason.CAPPED)
    return Verdict(Outcome.HELD, hold.reason, chosen, hold.release)


def skipped(reason: Reason) -> Verdict:
    """Return the verdict that nothing is sent, ever, for this reason."""
    return Verdict(Outcome.SKIPPED, reason)


def changed_or_duplicate(occasion: Occasion, rule: Rule | None, decided: Decided | None) -> Verdict | None:
    """Return what is decided even of an account that is not known yet."""
    if decided is not None and decided.committed not in (None, occasion.moment):
        return skipped(Reason.DUPLICATE)
    return None if unchanged(occasion, rule) else skipped(Reason.RULE_CHANGED)


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
