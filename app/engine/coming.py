"""Which moments of day rules come up in a stretch of time, by present facts (DOMAIN.md, section 4)."""

from collections.abc import Iterator, Mapping
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

LAST_DAY = date.max.toordinal()
ANY_DAY, NO_DAY = (0, LAST_DAY), (LAST_DAY, 0)
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
    clock, dates = book.account.clock, _dates(book, stretch)
    if clock is None or not dates:
        return []
    present = Present(book, company, clock.day(stretch.begin), stretch.begin)
    first, last = days_after(present.today, -AROUND), days_after(clock.day(stretch.end), AROUND)
    found = []
    for trigger, rule, minutes in _near(dates, rulebook, company.id, first, last):
        if not may_apply(rule, stretch):
            continue
        for coming in trigger.coming(present, rule):
            if not first <= coming.day <= last and not _within(coming.earliest, stretch):
                continue
            moment = _moment(clock.moment(coming.day, minutes), coming)
            if moment is not None and stretch.begin <= moment < stretch.end and applies(rule, moment):
                found.append(_occasion(rule, coming, moment))
    if len(found) > 1:
        found.sort(key=lambda occasion: (occasion.moment, occasion.rule, occasion.subject))
    return found


def _dates(book: Book, stretch: Stretch) -> dict[str, tuple[int, int]]:
    """Return the first and the last date that the book has to count days from, by anchor (see `filing`), as ordinals.

    A card that came within the stretch or later may have its moment then, whatever its date; an invoice may be moved in
    any time after its due date.
    """
    found: dict[str, tuple[int, int]] = {}
    if book.account.episode is not None:
        day = book.account.episode.day.toordinal()
        found["episode"] = (day, day)
    for card in book.cards.values():
        if card.autopay:
            day = card.last_day.toordinal()
            found["card"] = ANY_DAY if card.since >= stretch.begin else _spanning(found.get("card"), day)
    for invoice in book.invoices.values():
        if invoice.since is not None:
            found["since"] = _spanning(found.get("since"), invoice.since.toordinal())
        if invoice.open:
            found["due"] = _spanning(found.get("due"), invoice.due_on.toordinal())
    if "due" in found:
        found["ready"] = (found["due"][0], LAST_DAY)
    return found


def _spanning(known: tuple[int, int] | None, day: int) -> tuple[int, int]:
    return (day, day) if known is None else (min(known[0], day), max(known[1], day))


def _near(
    dates: Mapping[str, tuple[int, int]], rulebook: Rulebook, company_id: str, first: date, last: date
) -> Iterator[tuple[DayTrigger, Rule, int]]:
    """Yield the rules of `_day_rules` for which there may be a date from which they count to first..last."""
    begins, ends = _counted_from(rulebook, company_id, first), _counted_from(rulebook, company_id, last)
    for each, begin, end in zip(_day_rules(rulebook, company_id), begins, ends, strict=True):
        for anchor in each[0].anchors:
            earliest, latest = dates.get(anchor, NO_DAY)
            if earliest <= end and begin <= latest:
                yield each
                break


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


@lru_cache(maxsize=1 << 11)
def _counted_from(rulebook: Rulebook, company_id: str, day: date) -> list[int]:
    """Return the date, as an ordinal, from which each of these rules counts to come to `day`."""
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
