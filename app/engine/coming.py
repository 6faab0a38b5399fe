"""Which moments of day rules come up in a stretch of time, by present facts (DOMAIN.md, section 4)."""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache

import msgspec

from app.contract.instants import Instant
from app.domain.book import Book
from app.domain.calendar import days_after, minutes_of
from app.domain.companies import Company
from app.domain.occasion import Occasion
from app.domain.rules import Rule, Rulebook, send_at
from app.triggers import DAY_TRIGGERS
from app.triggers.base import Coming, DayTrigger, Present

EVER, NEVER = (0, 1 << 30), (1 << 30, -1)
AROUND = 2
"""A moment is at most so many days from its own: gaps of a whole day, changes of zone, flips in the day's course."""


class Stretch(msgspec.Struct, frozen=True, gc=False):
    """Moments m with begin <= m < end."""

    begin: Instant
    end: Instant


def company_of(book: Book, rulebook: Rulebook) -> Company | None:
    """Return the account's company; None while the account is unknown, or its company is no longer configured."""
    company_id = book.company_id
    return rulebook.companies.get(company_id) if company_id is not None else None


def due(book: Book, company: Company, rulebook: Rulebook, stretch: Stretch) -> list[Occasion]:
    """Return the occasions whose moments lie in the stretch, in order of moment, rule and subject.

    No invoice may be moved in within the stretch: whoever asks splits it there.
    """
    clock, anchors = book.account.clock, _anchors(book)
    if clock is None or not anchors:
        return []
    present = Present(book, company, clock.day(stretch.begin), stretch.begin)
    first, last = days_after(present.today, -AROUND), days_after(clock.day(stretch.end), AROUND)
    rules = _day_rules(rulebook, company.id)
    earliest, latest = (_counted_from(rulebook, company.id, day) for day in (first, last))
    found = []
    for (trigger, rule, minutes), begin, end in zip(rules, earliest, latest, strict=True):
        if not _is_near(trigger, anchors, begin, end) or not may_apply(rule, stretch):
            continue
        for coming in trigger.coming(present, rule):
            if not first <= coming.day <= last and not _within(coming.earliest, stretch):
                continue
            moment = _moment(clock.moment(coming.day, minutes), coming)
            if moment is not None and stretch.begin <= moment < stretch.end and applies(rule, moment):
                found.append(_occasion(rule, coming, moment))
    found.sort(key=lambda occasion: (occasion.moment, occasion.rule, occasion.subject))
    return found


def _anchors(book: Book) -> dict[str, tuple[int, int]]:
    """Return the first and the last date that days are counted from, as ordinals, by the due index's names for them.

    See `filing`. Of what is not counted from a date of the book's alone, they are the calendar's.
    """
    found: dict[str, tuple[int, int]] = {}
    if book.account.episode is not None:
        found["episode"] = EVER
    if any(card.autopay for card in book.cards.values()):
        found["card"] = EVER
    for invoice in book.invoices.values():
        if invoice.since is not None:
            found["since"] = _spanning(found.get("since"), invoice.since.toordinal())
        if invoice.open:
            found["due"] = _spanning(found.get("due"), invoice.due_on.toordinal())
            found["ready"] = EVER
    return found


def _spanning(known: tuple[int, int] | None, day: int) -> tuple[int, int]:
    return (day, day) if known is None else (min(known[0], day), max(known[1], day))


def _is_near(trigger: DayTrigger, anchors: Mapping[str, tuple[int, int]], first: int, last: int) -> bool:
    """Whether the book may have a date in [first, last] that the trigger counts from. Of two kinds any date may do."""
    if len(trigger.anchors) > 1:
        return any(anchor in anchors for anchor in trigger.anchors)
    begin, end = anchors.get(trigger.anchors[0], NEVER)
    return begin <= last and first <= end


@lru_cache(maxsize=256)
def _day_rules(rulebook: Rulebook, company_id: str) -> list[tuple[DayTrigger, Rule, int]]:
    """Return the enabled versions of all day rules, with the minutes after midnight at which the company has them."""
    company = rulebook.companies[company_id]
    return [
        (trigger, rule, minutes_of(send_at(rule, company)))
        for trigger in DAY_TRIGGERS
        for rule_id in rulebook.rule_ids_of(trigger.id)
        for rule in rulebook.versions(rule_id)
        if rule.trigger == trigger.id and rule.enabled
    ]


@lru_cache(maxsize=1 << 12)
def _counted_from(rulebook: Rulebook, company_id: str, day: date) -> list[int]:
    """Return the dates, as ordinals, that each of these rules counts from to come to `day`."""
    rules = _day_rules(rulebook, company_id)
    return [trigger.anchored(day, rule.x or 0).toordinal() for trigger, rule, _ in rules]


def _within(instant: Instant | None, stretch: Stretch) -> bool:
    return instant is not None and stretch.begin <= instant < stretch.end


def may_apply(rule: Rule, stretch: Stretch) -> bool:
    """Whether the version is enabled, and in force at any time within the stretch."""
    if not rule.enabled or (rule.enabled_at is not None and rule.enabled_at >= stretch.end):
        return False
    return rule.ends is None or rule.ends > stretch.begin


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
