"""Turns what has come up into decisions, and remembers them (DOMAIN.md, sections 3.1, 4 and 4.1)."""

from collections.abc import Iterable, Sequence

import msgspec

from app.contract.instants import Instant
from app.domain.account import Contact
from app.domain.audience import Recipient, account_contacts, named_contact
from app.domain.book import Book
from app.domain.calendar import minutes_of
from app.domain.decide import (
    Circumstances,
    Hold,
    Verdict,
    changed_or_duplicate,
    decide,
    is_late,
    skipped,
    too_late,
    unchanged,
)
from app.domain.decision import Decision
from app.domain.filters import passes
from app.domain.hours import closed, hours_of, opens
from app.domain.occasion import Decided, Occasion, Outcome, Pending, Reason
from app.domain.rules import Rule, Rulebook, send_at
from app.engine.coming import company_of
from app.engine.facts import facts_of
from app.engine.gate import Gate
from app.engine.ledger import Ledger
from app.triggers import REGISTRY
from app.triggers.base import DayTrigger, EventTrigger, Present

MOMENTS_KEPT = 8
"""Of one subject: an event that is published over and over must not grow its row without bound."""


class Up(msgspec.Struct, frozen=True):
    """Something that has come up: the book to judge it by, and the instant `at` that its decision goes by."""

    book: Book
    pending: Pending
    at: Instant
    just_now: bool = False
    """Its condition was found to hold at its moment by `book`: decided on time, it is not asked again."""

    @property
    def occasion(self) -> Occasion:
        """What has come up."""
        return self.pending.occasion

    @property
    def order(self) -> tuple[Instant, Instant, str, str]:
        """Decisions of one instant go by moment, rule and subject."""
        return self.at, self.occasion.moment, self.occasion.rule, self.occasion.subject

    @property
    def reckoned(self) -> Instant:
        """The instant by which it is late or not: time spent held does not count."""
        return self.pending.reckoned(self.at)


class Judge:
    """Decides by one configuration, behind one gate, and writes into one ledger."""

    def __init__(self, rulebook: Rulebook, ledger: Ledger, gate: Gate) -> None:
        """Take what holds for a whole batch."""
        self._rulebook = rulebook
        self._ledger = ledger
        self._gate = gate

    def decide_all(self, up: Sequence[Up]) -> list[Pending]:
        """Decide what comes up at one instant, in order; return what is held."""
        if len(up) == 1:  # nothing else is there that could say it better
            pending = self.decide(up[0])
            return [] if pending is None else [pending]
        up = sorted(up, key=lambda u: u.order)
        newest, highest = self._newest(up), self._highest(up)
        held = []
        for one in up:
            older = not _is_of(newest.get(_group(one), one), one) and self._is_latest_only(one)
            lower = (one.occasion.x or 0) < highest.get(_event(one), 0)
            pending = self.decide(one, superseded=older or lower)
            if pending is not None:
                held.append(pending)
        return held

    def decide(self, up: Up, *, superseded: bool = False) -> Pending | None:
        """Decide one; return it if it is held."""
        present, occasion = self._present(up), up.pending.occasion
        decided, rule = recall(self._ledger, up.book, occasion), self._rulebook.in_force(occasion.rule, up.at)
        if up.pending.held is None and decided is not None and _is_the_same(occasion, decided):
            return None
        if present is None:  # still unknown after a day, or of a company that is no longer configured
            verdict = changed_or_duplicate(occasion, rule, decided) or skipped(Reason.NO_RECIPIENT)
            self._write(up, None, rule, verdict, decided)
            return None
        verdict = decide(occasion, self._circumstances(up, present, rule, decided, superseded=superseded))
        if up.pending.why == "lagging" and verdict.reason is Reason.NO_LONGER_TRUE:
            return None  # what a late fact called up and is true no longer never was
        if up.pending.held is None or verdict.outcome is not Outcome.HELD:
            self._write(up, present, rule, verdict, decided)
        return self._waiting(up, verdict)

    def hold_unknown(self, book: Book, occasion: Occasion, now: Instant) -> Pending | None:
        """Hold what an unknown account's event calls up; None where it is decided at once, or was before."""
        up = Up(book, Pending(occasion, "unknown_account", now), now)
        decided = recall(self._ledger, book, occasion)
        if decided is not None and occasion.moment in decided.moments:
            return None
        rule = self._rulebook.in_force(occasion.rule, now)
        verdict = changed_or_duplicate(occasion, rule, decided)
        self._write(up, None, rule, verdict or Verdict(Outcome.HELD, Reason.UNKNOWN_ACCOUNT), decided)
        return msgspec.structs.replace(up.pending, held=now) if verdict is None else None

    def _circumstances(
        self, up: Up, present: Present, rule: Rule | None, decided: Decided | None, *, superseded: bool
    ) -> Circumstances:
        occasion = up.pending.occasion
        trigger = REGISTRY[occasion.trigger]
        return Circumstances(
            at=up.at,
            rule=rule,
            decided=decided,
            holds=lambda: up.just_now or trigger.holds(present, occasion),
            passes=lambda: rule is None or passes(rule.when, present.book, occasion),
            contacts=lambda: self._contacts(present, occasion, rule),
            hold=lambda to: self._hold(up, present, rule, to) if rule else None,
            superseded=lambda: superseded or self._said_already(present, occasion),
            reckoned=up.reckoned,
            capped=up.pending.why == "capped",
        )

    def _hold(self, up: Up, present: Present, rule: Rule, to: Sequence[Recipient]) -> Hold | None:
        """Return why nothing may be sent now, and until when."""
        company, clock, at = present.company, present.book.account.clock, present.at
        guarded = not self._gate.frees(up.pending.trips)
        if clock is None:
            return None
        if self._rulebook.killed(company.id):
            return Hold(Reason.KILL_SWITCH, None)
        if guarded and self._gate.trips(rule.id):
            return Hold(Reason.GUARD, None)
        reason = closed(hours_of(rule, company), company, clock, at)
        if reason is not None:
            return Hold(reason, self._opens(up, present, rule))
        if rule.cap is not None and any(
            self._ledger.count(present.book.id, one.recipient, present.today) >= rule.cap for one in to
        ):
            return Hold(Reason.CAPPED, self._opens(up, present, rule, later_day=True))
        # Asked last: what is held for another reason is not about to be sent.
        return Hold(Reason.GUARD, None) if guarded and not self._gate.admits(rule.id, len(to)) else None

    def _opens(self, up: Up, present: Present, rule: Rule, *, later_day: bool = False) -> Instant | None:
        """Return when the rule's sending hours next allow it."""
        company, clock = present.company, present.book.account.clock
        if clock is None:
            return None
        on = minutes_of(send_at(rule, company)) if isinstance(REGISTRY[up.occasion.trigger], DayTrigger) else None
        return opens(hours_of(rule, company), company, clock, present.at, send_at=on, later_day=later_day)

    def _said_already(self, present: Present, occasion: Occasion) -> bool:
        trigger = REGISTRY[occasion.trigger]
        said = trigger.superseded_by(present, occasion) if isinstance(trigger, EventTrigger) else None
        if said is None:
            return False
        found = (self._ledger.recall(present.book.id, rule, said[1]) for rule in self._rulebook.rule_ids_of(said[0]))
        return any(decided is not None and decided.committed is not None for decided in found)

    def _newest(self, up: Iterable[Up]) -> dict[tuple[str, str | None], Up]:
        """Return, of one trigger's late day moments for one thing, the most recent that holds and is not filtered.

        `up` is in order.
        """
        newest: dict[tuple[str, str | None], Up] = {}
        for one in up:
            rule = self._rulebook.in_force(one.occasion.rule, one.at) if self._is_latest_only(one) else None
            if rule and not too_late(one.occasion, rule, one.reckoned) and self._would_be_sent(one, rule):
                newest[_group(one)] = one
        return newest

    def _is_latest_only(self, up: Up) -> bool:
        """Whether it is a late moment of a day rule that only the most recent is sent of; events are all news."""
        if not is_late(up.occasion, up.reckoned) or not isinstance(REGISTRY[up.occasion.trigger], DayTrigger):
            return False
        rule = self._rulebook.in_force(up.occasion.rule, up.at)
        return rule is not None and rule.late.policy == "latest_only"

    def _highest(self, up: Iterable[Up]) -> dict[tuple[str, str | None, Instant], int]:
        """Return, of what one event calls up by several X, the highest that holds and is not filtered."""
        highest: dict[tuple[str, str | None, Instant], int] = {}
        for one in up:
            x = one.occasion.x or 0
            if x <= highest.get(_event(one), 0) or isinstance(REGISTRY[one.occasion.trigger], DayTrigger):
                continue
            rule = self._rulebook.in_force(one.occasion.rule, one.at)
            if rule is not None and self._would_be_sent(one, rule):
                highest[_event(one)] = x
        return highest

    def _would_be_sent(self, up: Up, rule: Rule) -> bool:
        occasion, present = up.occasion, self._present(up)
        if present is None or not unchanged(occasion, rule):
            return False
        return REGISTRY[rule.trigger].holds(present, occasion) and passes(rule.when, present.book, occasion)

    def _present(self, up: Up) -> Present | None:
        company, clock = company_of(up.book, self._rulebook), up.book.account.clock
        return Present(up.book, company, clock.day(up.at), up.at) if company and clock else None

    def _contacts(self, present: Present, occasion: Occasion, rule: Rule | None) -> list[Contact]:
        account, trigger = present.book.account, REGISTRY[occasion.trigger]
        if account.login is not None:
            login = account.login
            return [Contact(login.user_id, login.name, login.email, language=login.language)]
        if account.details is None:
            return []
        if trigger.audience != "account":
            named = named_contact(account.details, occasion.contact)
            if named or trigger.audience == "contact":
                return named
        categories = trigger.categories if rule is None or rule.categories is None else rule.categories
        return account_contacts(account.details, categories)

    def _write(
        self, up: Up, present: Present | None, rule: Rule | None, verdict: Verdict, decided: Decided | None
    ) -> None:
        occasion, book = up.pending.occasion, up.book
        sent = present is not None and verdict.outcome is Outcome.SENT
        trigger = REGISTRY[occasion.trigger]
        critical = rule is not None and rule.critical
        self._ledger.write(
            Decision(
                rule=occasion.rule,
                version=rule.version if rule else occasion.version,
                trigger=occasion.trigger,
                book=book.id,
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
                critical=critical,
                message=trigger.message(present, occasion) if sent and present and self._ledger.composes else None,
                facts=facts_of(book, occasion) if self._ledger.keeps_facts else None,
                expires_at=occasion.expires_at,
            )
        )
        self._remember(book, occasion, verdict, decided)
        if present is not None and sent and not critical:
            for to in verdict.recipients:
                self._ledger.add(book.id, to.recipient, present.today)
            if not self._gate.frees(up.pending.trips):
                self._gate.count(occasion.rule, len(verdict.recipients))

    def _waiting(self, up: Up, verdict: Verdict) -> Pending | None:
        if verdict.outcome is not Outcome.HELD or verdict.reason is None:
            return None
        since = up.at if verdict.release is None else verdict.release
        trips = set(up.pending.trips)
        if verdict.reason is Reason.GUARD:
            trips.update(self._gate.trips(up.occasion.rule))
        return Pending(up.occasion, verdict.reason.value, since, verdict.release, up.reckoned, tuple(sorted(trips)))

    def _remember(self, book: Book, occasion: Occasion, verdict: Verdict, known: Decided | None) -> None:
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


def _event(up: Up) -> tuple[str, str | None, Instant]:
    return up.occasion.trigger, up.occasion.about, up.occasion.moment


def _is_of(one: Up, other: Up) -> bool:
    """Whether both are the same rule's of the same subject: of two versions' moments the first is decided."""
    return (one.occasion.rule, one.occasion.subject) == (other.occasion.rule, other.occasion.subject)


def _is_the_same(occasion: Occasion, decided: Decided) -> bool:
    """A moment decided before is the same decision. A day rule decides once of a subject.

    The moments that two versions of one have on a day may wait together for the end of an outage.
    """
    return occasion.moment in decided.moments or isinstance(REGISTRY[occasion.trigger], DayTrigger)
