"""Turns what has come up into decisions, and remembers them (DOMAIN.md, sections 3.1, 4 and 4.1)."""

from collections.abc import Iterable, Sequence

import msgspec

from app.contract.instants import Instant
from app.domain.account import Contact
from app.domain.audience import account_contacts
from app.domain.book import Book
from app.domain.decide import Circumstances, Verdict, changed_or_duplicate, decide, is_late, too_late, unchanged
from app.domain.decision import Decision
from app.domain.occasion import Decided, Occasion, Outcome, Pending, Reason
from app.domain.rules import Rule, Rulebook
from app.engine.coming import company_of
from app.engine.ledger import Ledger
from app.triggers import REGISTRY
from app.triggers.base import Present

MOMENTS_KEPT = 8
"""Of one subject: an event that is published over and over must not grow its row without bound."""


class Up(msgspec.Struct, frozen=True):
    """Something that has come up: the book of its moment, and the instant `at` that its decision goes by."""

    book: Book
    pending: Pending
    at: Instant
    just_now: bool = False
    """Its condition was found to hold at its moment by `book`: decided on time, it is not asked again."""

    @property
    def occasion(self) -> Occasion:
        """What has come up."""
        return self.pending.occasion


class Judge:
    """Decides by one configuration, and writes into one ledger."""

    def __init__(self, rulebook: Rulebook, ledger: Ledger) -> None:
        """Take what holds for a whole batch."""
        self._rulebook = rulebook
        self._ledger = ledger

    def decide_all(self, up: Sequence[Up], book: Book) -> None:
        """Decide in order of moment, rule and subject; what is late by the facts of `book`, the newest."""
        newest = self._newest(up, book)
        for one in sorted(up, key=lambda u: (u.occasion.moment, u.occasion.rule, u.occasion.subject)):
            late = is_late(one.occasion, one.at)
            self.decide(one, book, superseded=late and newest.get(_group(one), one) is not one)

    def decide(self, up: Up, book: Book, *, superseded: bool = False) -> None:
        """Decide one; on time by the book of its moment, else by `book`."""
        occasion = up.occasion
        present = self._present_of(up, book)
        held = up.pending.why == "unknown_account"
        if present is None:  # still unknown after a day, or of a company that is no longer configured
            self._write(up, None, Verdict(Outcome.SKIPPED, Reason.NO_RECIPIENT))
            return
        trigger = REGISTRY[occasion.trigger]
        rule = self._rulebook.in_force(occasion.rule, up.at)
        verdict = decide(
            occasion,
            Circumstances(
                at=up.at,
                rule=rule,
                decided=None if held else self._recall(present.book, occasion),
                holds=lambda: (up.just_now and _on_time(up)) or trigger.holds(present, occasion),
                contacts=lambda: self._contacts(present, rule, trigger.categories),
                superseded=superseded and bool(rule and rule.late.policy == "latest_only"),
                waited=up.at - up.pending.since if held else 0,
            ),
        )
        if not _leaves_no_line(up, verdict, None if held else self._recall(present.book, occasion)):
            self._write(up, present, verdict)

    def hold_unknown(self, book: Book, occasion: Occasion, now: Instant) -> bool:
        """Hold what an unknown account's event calls up; False where it is decided at once, or already."""
        decided = self._recall(book, occasion)
        verdict = changed_or_duplicate(occasion, self._rulebook.in_force(occasion.rule, now), decided)
        if decided is not None and occasion.moment in decided.moments:
            return False
        up = Up(book, Pending(occasion, "unknown_account", now), now)
        self._write(up, None, verdict or Verdict(Outcome.HELD, Reason.UNKNOWN_ACCOUNT))
        return verdict is None

    def _newest(self, up: Iterable[Up], book: Book) -> dict[tuple[str, str | None], Up]:
        """Return, of one trigger's late moments for one invoice or account, the most recent that may be sent."""
        newest: dict[tuple[str, str | None], Up] = {}
        for one in sorted(up, key=lambda u: (u.occasion.moment, u.occasion.rule, u.occasion.subject)):
            rule, present = self._rulebook.in_force(one.occasion.rule, one.at), self._present_of(one, book)
            if rule is None or rule.late.policy != "latest_only" or not unchanged(one.occasion, rule):
                continue
            late = is_late(one.occasion, one.at) and not too_late(one.occasion, rule, one.at)
            if late and present and REGISTRY[rule.trigger].holds(present, one.occasion):
                newest[_group(one)] = one
        return newest

    def _present_of(self, up: Up, newest: Book) -> Present | None:
        """Return what is judged by: on time the book of the moment, else the newest one."""
        book = up.book if _on_time(up) else newest
        company, clock = company_of(book, self._rulebook), book.account.clock
        return Present(book, company, clock.day(up.at)) if company and clock else None

    def _contacts(self, present: Present, rule: Rule | None, default: tuple[str, ...]) -> list[Contact]:
        details = present.book.account.details
        categories = default if rule is None or rule.categories is None else rule.categories
        return account_contacts(details, categories) if details else []

    def _recall(self, book: Book, occasion: Occasion) -> Decided | None:
        return recall(self._ledger, book, occasion)

    def _write(self, up: Up, present: Present | None, verdict: Verdict) -> None:
        occasion, rule = up.occasion, self._rulebook.in_force(up.occasion.rule, up.at)
        sent = verdict.outcome is Outcome.SENT and present is not None
        trigger = REGISTRY[occasion.trigger]
        self._ledger.write(
            Decision(
                rule=occasion.rule,
                version=rule.version if rule else occasion.version,
                trigger=occasion.trigger,
                account_id=up.book.id,
                subject=occasion.subject,
                x=occasion.x,
                about=occasion.about,
                moment=occasion.moment,
                decided_at=up.at,
                outcome=verdict.outcome,
                reason=verdict.reason,
                recipients=verdict.recipients,
                company_id=present.company.id if present else None,
                time_zone=present.book.account.clock.zone if present and present.book.account.clock else None,
                template=(rule and rule.template) or trigger.template,
                message=trigger.message(present, occasion) if sent and present else None,
            )
        )
        self._remember(up.book, occasion, verdict)

    def _remember(self, book: Book, occasion: Occasion, verdict: Verdict) -> None:
        known = self._recall(book, occasion)
        moments = known.moments if known else ()
        if occasion.moment not in moments:
            moments = (*moments, occasion.moment)[-MOMENTS_KEPT:]
        committed = known.committed if known else None
        if verdict.outcome in (Outcome.SENT, Outcome.HELD):
            committed = occasion.moment
        elif committed == occasion.moment:
            committed = None  # what was held has been skipped
        self._ledger.remember(book.id, occasion.rule, occasion.subject, Decided(moments, committed))


def recall(ledger: Ledger, book: Book, occasion: Occasion) -> Decided | None:
    """Return what was decided of the occasion's subject, unless it is forgotten by its moment."""
    decided = ledger.recall(book.id, occasion.rule, occasion.subject)
    return decided if decided is not None and decided.until >= occasion.moment else None


def _group(up: Up) -> tuple[str, str | None]:
    return up.occasion.trigger, up.occasion.about


def _on_time(up: Up) -> bool:
    return up.at == up.pending.since


def _leaves_no_line(up: Up, verdict: Verdict, decided: Decided | None) -> bool:
    """A moment decided before is the same decision; what a late fact called up and is true no longer never was."""
    if decided is not None and up.occasion.moment in decided.moments:
        return True
    return up.pending.why == "lagging" and verdict.reason is Reason.NO_LONGER_TRUE
