"""Sending hours: which instants a rule allows, and the first that it allows again (DOMAIN.md, section 4, Held)."""

from datetime import date, timedelta

from app.contract.instants import DAY, MINUTE, Instant
from app.domain.calendar import LocalClock, change_of_offset, first_instant, local_clock
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
    if hours.skip_holidays or hours.weekdays is not None:
        day = _day_off(hours, company, clock.day(at))
        if day is not None:
            return day
    if hours.window is None:
        return None
    return None if _is_open(hours, clock.zone, at) else Reason.WINDOW


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
        begin, end = max(at, first_instant(clock.zone, day)), first_instant(clock.zone, day + timedelta(days=1))
        found = _first_open(hours, clock.zone, begin, end)
        if found is not None and ahead and send_at is not None:
            on = first_instant(clock.zone, day, send_at)
            return on if _is_open(hours, clock.zone, on) else found
        if found is not None:
            return found
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


def _is_open(hours: Hours, zone: str, at: Instant) -> bool:
    minutes = local_clock(zone, at) % DAY // MINUTE
    return any(first <= minutes < last for first, last in _openings(hours))


def _first_open(hours: Hours, zone: str, begin: Instant, end: Instant) -> Instant | None:
    """Return the first instant in [begin, end), of one local day, that the window allows.

    Where the clock is set back the same opening may come twice, and the window may be closed in between.
    """
    changed = change_of_offset(zone, begin, end)
    found = (_opening(hours, zone, one, other) for one, other in ((begin, changed), (changed, end)))
    return next((instant for instant in found if instant is not None), None)


def _opening(hours: Hours, zone: str, begin: Instant, end: Instant) -> Instant | None:
    """Return the first instant in [begin, end), in which the zone's offset stays the same, that the window allows."""
    midnight = begin - local_clock(zone, begin) % DAY
    days = (midnight, midnight + DAY)
    found = [max(begin, day + a * MINUTE) for day in days for a, z in _openings(hours) if begin < day + z * MINUTE]
    return min((instant for instant in found if instant < end), default=None)
