"""Sending hours: which instants a rule allows, and the first that it allows again (DOMAIN.md, section 4, Held)."""

from collections.abc import Iterator
from datetime import date, timedelta

from app.contract.instants import DAY, MINUTE, Instant
from app.domain.calendar import LocalClock, first_instant, local_clock
from app.domain.companies import Company
from app.domain.occasion import Reason
from app.domain.rules import Hours, Rule

FULL_DAY = 24 * 60
HORIZON = 400
"""Days: hours that allow nothing for longer never will."""


def hours_of(rule: Rule, company: Company) -> Hours:
    """Return the rule's hours over the company's, key by key."""
    return rule.hours.over(Hours(company.window, weekdays=company.weekdays, skip_holidays=company.skip_holidays))


def closed(hours: Hours, company: Company, clock: LocalClock, at: Instant) -> Reason | None:
    """Return the first reason why nothing may be sent at `at`: holiday, weekday, window."""
    day = _day_off(hours, company, clock.day(at))
    if day is not None:
        return day
    if hours.window is None:
        return None
    minutes = local_clock(clock.zone, at) % DAY // MINUTE
    return None if any(first <= minutes < last for first, last in _openings(hours)) else Reason.WINDOW


def opens(
    hours: Hours, company: Company, clock: LocalClock, at: Instant, *, send_at: int | None, later_day: bool = False
) -> Instant | None:
    """Return the first instant from `at` on (with `later_day`: after its local day) that the hours allow.

    On a later day that is `send_at` (minutes; None for event rules) if the window contains it. None: none in sight.
    """
    today = clock.day(at)
    for ahead in range(1 if later_day else 0, HORIZON):
        day = today + timedelta(days=ahead)
        if _day_off(hours, company, day) is not None:
            continue
        for begin, end in _stretches(hours, clock.zone, day, send_at if ahead else None):
            if at < end:
                return max(at, begin)
    return None


def _day_off(hours: Hours, company: Company, day: date) -> Reason | None:
    if hours.skip_holidays and company.holidays.cover(day):
        return Reason.HOLIDAY
    if hours.weekdays is not None and day.weekday() not in hours.weekdays:
        return Reason.WEEKDAY
    return None


def _openings(hours: Hours) -> tuple[tuple[int, int], ...]:
    """Return the parts of a day, in minutes, that the window allows."""
    if hours.window is None:
        return ((0, FULL_DAY),)
    first, last = hours.window
    return ((first, last),) if first < last else ((0, last), (first, FULL_DAY))


def _stretches(hours: Hours, zone: str, day: date, send_at: int | None) -> Iterator[tuple[Instant, Instant]]:
    openings = _openings(hours)
    if send_at is not None:
        inside = [(send_at, last) for first, last in openings if first <= send_at < last]
        openings = tuple(inside) or openings
    for first, last in openings:
        yield first_instant(zone, day, first), first_instant(zone, day, last)
