"""Which moments of day rules come up in a stretch of time, by present facts (DOMAIN.md, section 4)."""

from collections.abc import Iterator

import msgspec

from app.contract.instants import Instant
from app.domain.book import Book
from app.domain.calendar import days_after, minutes_of
from app.domain.companies import Company
from app.domain.occasion import Occasion
from app.domain.rules import Rule, Rulebook, send_at
from app.triggers import DAY_TRIGGERS
from app.triggers.base import Coming, Present

AROUND = 2
"""A moment is at most so many days from its own: gaps of a whole day, changes of zone, flips in the day's course."""


class Stretch(msgspec.Struct, frozen=True):
    """Moments m with begin <= m < end."""

    begin: Instant
    end: Instant


def company_of(book: Book, rulebook: Rulebook) -> Company | None:
    """Return the account's company; None while the account is unknown, or its company is no longer configured."""
    return rulebook.companies.get(book.company_id) if book.company_id is not None else None


def due(book: Book, company: Company, rulebook: Rulebook, stretch: Stretch) -> list[Occasion]:
    """Return the occasions whose moments lie in the stretch, in order of moment, rule and subject.

    No invoice may be moved in within the stretch: whoever asks splits it there.
    """
    clock = book.account.clock
    if clock is None:
        return []
    present = Present(book, company, clock.day(stretch.begin), stretch.begin)
    first, last = days_after(present.today, -AROUND), days_after(clock.day(stretch.end), AROUND)
    found = []
    for trigger in DAY_TRIGGERS:
        for rule in versions_within(rulebook, trigger.id, stretch):
            minutes = minutes_of(send_at(rule, company))
            for coming in trigger.coming(present, rule):
                if not first <= coming.day <= last and not _within(coming.earliest, stretch):
                    continue
                moment = _moment(clock.moment(coming.day, minutes), coming)
                if moment is not None and stretch.begin <= moment < stretch.end and applies(rule, moment):
                    found.append(_occasion(rule, coming, moment))
    found.sort(key=lambda occasion: (occasion.moment, occasion.rule, occasion.subject))
    return found


def _within(instant: Instant | None, stretch: Stretch) -> bool:
    return instant is not None and stretch.begin <= instant < stretch.end


def versions_within(rulebook: Rulebook, trigger: str, stretch: Stretch) -> Iterator[Rule]:
    """Yield the enabled versions of the trigger's rules that are in force at any time within the stretch."""
    for rule_id in rulebook.rule_ids_of(trigger):
        for rule in rulebook.versions(rule_id):
            if rule.trigger == trigger and may_apply(rule, stretch):
                yield rule


def may_apply(rule: Rule, stretch: Stretch) -> bool:
    """Whether the version is enabled, and in force at any time within the stretch."""
    begun = rule.enabled_at is None or rule.enabled_at < stretch.end
    return rule.enabled and begun and (rule.ends is None or rule.ends > stretch.begin)


def applies(rule: Rule, moment: Instant) -> bool:
    """Whether the version is in force at the moment: from `enabled_at` on, until the next version's."""
    return (rule.enabled_at is None or rule.enabled_at <= moment) and (rule.ends is None or moment < rule.ends)


def _moment(at_send_time: Instant | None, coming: Coming) -> Instant | None:
    if coming.earliest is None:
        return at_send_time
    return coming.earliest if at_send_time is None else max(at_send_time, coming.earliest)


def _occasion(rule: Rule, coming: Coming, moment: Instant) -> Occasion:
    return Occasion(
        rule=rule.id,
        version=rule.version,
        trigger=rule.trigger,
        x=rule.x,
        subject=coming.subject,
        moment=moment,
        about=coming.about,
    )
