"""Sending hours, and holidays (DOMAIN.md, section 4, Held)."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.contract.instants import DAY, HOUR, MINUTE, Instant, format_instant
from app.domain.calendar import LocalClock
from app.domain.companies import Company, Holidays
from app.domain.hours import closed, hours_of, opens
from app.domain.occasion import Reason
from app.domain.rules import Hours
from tests.builders import NEW_YORK, a_company, a_rule, at

CLOCK = LocalClock(NEW_YORK)
OFFICE = Hours(window=(8 * 60, 20 * 60))
NIGHT = Hours(window=(20 * 60, 2 * 60))


def at_night_or_day(text: str) -> str:
    return text if len(text) > 5 else f"2026-06-10 {text}"


def reason(hours: Hours, text: str, company: Company | None = None) -> Reason | None:
    return closed(hours, company or a_company(), CLOCK, at(at_night_or_day(text)))


def opening(hours: Hours, text: str, company: Company | None = None, **fields: Any) -> Instant | None:
    said: dict[str, Any] = {"send_at": None}
    return opens(hours, company or a_company(), CLOCK, at(at_night_or_day(text)), **(said | fields))


@pytest.mark.parametrize(
    ("time", "expected"),
    [("07:59", Reason.WINDOW), ("08:00", None), ("19:59", None), ("20:00", Reason.WINDOW)],
)
def test_a_window_s_start_is_in_it_and_its_end_is_not(time: str, expected: Reason | None) -> None:
    assert reason(OFFICE, time) is expected


@pytest.mark.parametrize(
    ("time", "expected"),
    [("19:59", Reason.WINDOW), ("20:00", None), ("00:00", None), ("01:59", None), ("02:00", Reason.WINDOW)],
)
def test_a_window_may_cross_midnight(time: str, expected: Reason | None) -> None:
    assert reason(NIGHT, time) is expected


def test_a_window_may_end_at_24() -> None:
    assert reason(Hours(window=(20 * 60, 24 * 60)), "23:59") is None


def test_without_hours_any_instant_will_do() -> None:
    assert reason(Hours(), "03:00") is None
    assert opening(Hours(), "03:00") == at("2026-06-10 03:00")


def test_holiday_goes_before_weekday_before_window() -> None:
    sunday = a_company(holidays=Holidays(dates=(date(2026, 6, 14),)))
    hours = Hours(window=(8 * 60, 20 * 60), weekdays=(0, 1, 2, 3, 4), skip_holidays=True)
    assert reason(hours, "2026-06-14 03:00", sunday) is Reason.HOLIDAY
    assert reason(hours, "2026-06-14 03:00") is Reason.WEEKDAY
    assert reason(hours, "2026-06-15 03:00", sunday) is Reason.WINDOW
    assert reason(Hours(), "2026-06-14 03:00", sunday) is None


def test_a_country_s_holidays_with_some_added_and_some_taken_away() -> None:
    thanksgiving, columbus, eve = date(2026, 11, 26), date(2026, 10, 12), date(2026, 12, 24)
    holidays = Holidays(country="US", subdivision="IL", dates=(eve,), excepted=(columbus,))
    assert [holidays.cover(day) for day in (thanksgiving, columbus, eve, date(2026, 11, 25))] == [
        True,
        False,
        True,
        False,
    ]
    assert Holidays(country="US").cover(columbus)
    assert not Holidays().cover(thanksgiving)


@pytest.mark.parametrize(
    ("time", "expected"), [("03:00", "2026-06-10 08:00"), ("12:34", "2026-06-10 12:34"), ("20:00", "2026-06-11 08:00")]
)
def test_a_window_opens_at_its_start_or_is_open(time: str, expected: str) -> None:
    assert opening(OFFICE, time) == at(expected)


def test_days_off_are_passed_over() -> None:
    hours = Hours(window=(8 * 60, 20 * 60), weekdays=(0, 1, 2, 3, 4), skip_holidays=True)
    monday_off = a_company(holidays=Holidays(dates=(date(2026, 6, 15),)))
    assert opening(hours, "2026-06-12 21:00") == at("2026-06-15 08:00")
    assert opening(hours, "2026-06-12 21:00", monday_off) == at("2026-06-16 08:00")


def test_a_day_rule_waits_for_its_send_time_on_a_later_day_if_the_window_has_it() -> None:
    assert opening(OFFICE, "21:00", send_at=9 * 60) == at("2026-06-11 09:00")
    assert opening(OFFICE, "21:00", send_at=7 * 60) == at("2026-06-11 08:00")
    assert opening(OFFICE, "03:00", send_at=9 * 60) == at("2026-06-10 08:00")


def test_after_its_local_day_a_capped_contact_s_next_one_begins() -> None:
    assert opening(OFFICE, "12:00", send_at=9 * 60, later_day=True) == at("2026-06-11 09:00")
    assert opening(Hours(), "12:00", later_day=True) == at("2026-06-11 00:00")


def test_hours_that_never_allow_anything_have_no_opening() -> None:
    assert opening(Hours(weekdays=()), "12:00") is None


def test_hours_are_looked_at_for_400_days() -> None:
    today = date(2026, 6, 10)
    for off, expected in ((399, at("2027-07-14 00:00")), (400, None)):
        company = a_company(holidays=Holidays(dates=tuple(today + timedelta(days=n) for n in range(off))))
        assert opening(Hours(skip_holidays=True), "12:00", company) == expected


def written(instant: Instant | None) -> str:
    return format_instant(instant or 0)


@pytest.mark.parametrize(
    ("time", "window", "expected"),
    [
        ("06:10", (90, 180), "06:30"),  # 01:10 again; the first 01:30 is past
        ("05:50", (75, 105), "06:15"),  # the window comes a second time
        ("05:50", (30, 80), "06:00"),  # the clock is set back into the window
        ("06:45", (75, 105), "06:15"),  # the next day's
    ],
)
def test_where_the_clock_is_set_back_a_window_opens_at_the_first_instant_that_shows_it(
    time: str, window: tuple[int, int], expected: str
) -> None:
    """New York, 1 November 2026: 01:59 EDT is 05:59 UTC, and 01:00 EST follows."""
    found = written(opening(Hours(window=window), f"2026-11-01T{time}:00Z"))
    assert found == f"2026-11-0{2 if time > expected else 1}T{expected}:00Z"


def test_after_the_clock_was_set_back_across_midnight_the_day_that_had_begun_opens_yet() -> None:
    """St. John's, 2010: at 00:01 of the 7th, 02:31 UTC, the clock went back to 23:01 of the 6th."""
    clock, company = LocalClock("America/St_Johns"), a_company(time_zone="America/St_Johns")
    for time in ("2010-11-07T02:30:00Z", "2010-11-07T02:40:00Z"):
        assert written(opens(OFFICE, company, clock, at(time), send_at=None)) == "2010-11-07T11:30:00Z"
    evening = Hours(window=(23 * 60, 24 * 60))
    assert written(opens(evening, company, clock, at("2010-11-07T02:30:00Z"), send_at=None)) == "2010-11-07T02:31:00Z"


def test_on_a_day_that_does_not_exist_nothing_opens() -> None:
    """Samoa had no 30 December 2011."""
    samoa, evening = LocalClock("Pacific/Apia"), at("2011-12-29T21:00:00-10:00")
    assert opens(OFFICE, a_company(), samoa, evening, send_at=9 * 60) == at("2011-12-31T09:00:00+14:00")


def test_a_window_that_a_gap_jumps_over_opens_on_the_next_day() -> None:
    within_the_gap = Hours(window=(2 * 60 + 10, 2 * 60 + 50))
    for send_at, expected in ((None, "06:10"), (2 * 60 + 30, "06:30")):
        found = opening(within_the_gap, "2026-03-08T06:00:00Z", send_at=send_at)
        assert written(found) == f"2026-03-09T{expected}:00Z"


def test_on_a_day_whose_gap_jumps_over_its_send_time_a_day_rule_waits_for_what_the_window_leaves() -> None:
    hours = Hours(window=(60, 2 * 60 + 50))
    assert written(opening(hours, "2026-03-08T04:00:00Z", send_at=2 * 60 + 30)) == "2026-03-08T06:00:00Z"


def test_a_rule_s_hours_go_over_its_company_s_key_by_key() -> None:
    company = a_company(window=(60, 120), weekdays=(0,), skip_holidays=True)
    rule = a_rule(x=1, hours=Hours(weekdays=(1,)))
    assert hours_of(rule, company) == Hours(window=(60, 120), weekdays=(1,), skip_holidays=True)
    assert hours_of(a_rule(x=1, hours=Hours(any_time=True)), company).window is None


HOURS = st.builds(
    Hours,
    window=st.none() | st.tuples(st.integers(0, 1439), st.integers(1, 1440)).filter(lambda w: w[0] != w[1]),
    weekdays=st.none() | st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
)


@given(
    hours=HOURS,
    change=st.sampled_from(["2026-11-01T06:00:00Z", "2026-10-29T21:00:00Z", "2026-04-23T22:00:00Z"]),
    minutes=st.integers(-180, 180),
)
def test_around_a_change_of_the_clock_too_nothing_before_the_opening_is_open(
    hours: Hours, change: str, minutes: int
) -> None:
    zone = NEW_YORK if change == "2026-11-01T06:00:00Z" else "Africa/Cairo"
    clock, company, start = LocalClock(zone), a_company(time_zone=zone), at(change) + minutes * MINUTE
    found = opens(hours, company, clock, start, send_at=None)
    assert found is not None
    assert closed(hours, company, clock, found) is None
    until = min(found, start + 8 * HOUR)
    assert all(closed(hours, company, clock, instant) is not None for instant in range(start, until, MINUTE))


@given(hours=HOURS, offset=st.integers(0, 400 * DAY // MINUTE), zone=st.sampled_from((NEW_YORK, "Africa/Cairo")))
def test_it_opens_at_the_first_minute_that_is_not_closed(hours: Hours, offset: int, zone: str) -> None:
    start = at("2026-01-01 00:00") + offset * MINUTE
    clock, company = LocalClock(zone), a_company(time_zone=zone)
    found = opens(hours, company, clock, start, send_at=None)
    assert found is not None
    assert closed(hours, company, clock, found) is None
    before = range(start, found, max(MINUTE, (found - start) // 50 // MINUTE * MINUTE))
    assert all(closed(hours, company, clock, instant) is not None for instant in before)
    assert found - start < 8 * DAY + HOUR
