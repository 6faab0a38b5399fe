"""Local days and their moments in zones whose clocks do odd things (DOMAIN.md, section 4, Days)."""

import struct
from bisect import bisect_left
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from itertools import accumulate, pairwise
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.contract.instants import DAY, EARLIEST, HOUR, LATEST, MINUTE, SECOND, Instant, instant_of, parse_instant
from app.domain.calendar import (
    LocalClock,
    change_of_offset,
    days_after,
    first_instant,
    local_clock,
    local_day,
    minutes_of,
)

ODD = (
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Havana",
    "America/New_York",
    "America/Nuuk",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Asia/Pyongyang",
    "Asia/Tehran",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Europe/Dublin",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kwajalein",
)
EPOCH = date(1970, 1, 1)
START = parse_instant("2026-06-10T00:00:00Z")
QUARTER = 15 * MINUTE
OFFSETS = st.integers(-12 * 4, 14 * 4).map(lambda quarters: quarters * 15)


def changes(zone: str) -> list[date]:
    """The days from 1985 to 2030 on which the zone's clocks change."""
    info = ZoneInfo(zone)

    def offset(day: date) -> timedelta | None:
        return datetime(day.year, day.month, day.day, 12, tzinfo=UTC).astimezone(info).utcoffset()

    found = []
    for week in (date(1985, 1, 1) + timedelta(weeks=n) for n in range(45 * 52)):
        if offset(week) != offset(week + timedelta(weeks=1)):
            days = [week + timedelta(days=n) for n in range(8)]
            found += [day for before, day in pairwise(days) if offset(before) != offset(day)]
    return found


CHANGES = {zone: changes(zone) for zone in ODD}


@st.composite
def odd_days(draw: st.DrawFn) -> tuple[str, date]:
    """A day on or beside one on which its zone's clocks change."""
    zone = draw(st.sampled_from(ODD))
    return zone, draw(st.sampled_from(CHANGES[zone])) + timedelta(days=draw(st.integers(-2, 2)))


def test_each_of_the_odd_zones_has_changes() -> None:
    assert all(CHANGES.values())


@given(odd=odd_days(), minutes=st.integers(0, 24 * 60 - 1))
def test_a_moment_is_the_first_instant_at_which_the_local_clock_shows_it_or_later(
    odd: tuple[str, date], minutes: int
) -> None:
    zone, day = odd
    wanted = (day - EPOCH).days * DAY + minutes * MINUTE
    moment = first_instant(zone, day, minutes)
    assert local_clock(zone, moment) >= wanted
    assert all(local_clock(zone, moment - before) < wanted for before in (1, *range(MINUTE, 27 * HOUR, 7 * MINUTE)))


@given(odd=odd_days(), minutes=st.integers(0, 24 * 60 - 1))
def test_moments_of_following_days_never_go_back(odd: tuple[str, date], minutes: int) -> None:
    zone, day = odd
    moments = [first_instant(zone, day + timedelta(days=n), minutes) for n in range(-3, 4)]
    assert moments == sorted(moments)


@given(odd=odd_days(), offset=st.integers(0, DAY - 1))
def test_an_instant_s_local_day_is_the_last_one_begun(odd: tuple[str, date], offset: Instant) -> None:
    zone, around = odd
    instant = first_instant(zone, around) + offset
    day = local_day(zone, instant)
    assert first_instant(zone, day) <= instant < first_instant(zone, day + timedelta(days=2))
    assert instant < first_instant(zone, day + timedelta(days=1)) or first_instant(zone, day) == instant


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12", "UTC"])
def test_the_first_and_the_last_instant_that_can_be_told_have_a_local_day(zone: str) -> None:
    assert local_day(zone, EARLIEST) in (date(1, 1, 1), date(1, 1, 2))
    assert local_day(zone, LATEST) in (date(9999, 12, 30), date(9999, 12, 31))
    assert local_day(zone, LATEST - 1) in (date(9999, 12, 30), date(9999, 12, 31))


@given(odd=odd_days(), minutes=st.integers(0, 24 * 60 - 1), cuts=st.lists(st.integers(0, 8 * DAY), max_size=20))
def test_every_local_day_has_exactly_one_moment_however_time_is_cut(
    odd: tuple[str, date], minutes: int, cuts: list[Instant]
) -> None:
    zone, day = odd
    begin, end = first_instant(zone, day - timedelta(days=4)), first_instant(zone, day + timedelta(days=4))
    edges = sorted({begin, end, *(begin + cut for cut in cuts if begin + cut < end)})
    clock = LocalClock(zone)
    for n in range(-3, 3):
        moment = clock.moment(day + timedelta(days=n), minutes)
        assert moment is not None
        assert sum(one <= moment < other for one, other in pairwise(edges)) == 1


@pytest.mark.parametrize(
    ("zone", "day", "minutes", "expected"),
    [
        ("America/New_York", date(2026, 3, 8), 150, "2026-03-08T07:00:00Z"),  # 02:30 is in the gap
        ("America/New_York", date(2026, 11, 1), 90, "2026-11-01T05:30:00Z"),  # 01:30 comes twice
        ("Asia/Beirut", date(2026, 3, 29), 0, "2026-03-28T22:00:00Z"),  # the gap begins the day
        ("Africa/Cairo", date(2026, 4, 24), 0, "2026-04-23T22:00:00Z"),
        ("America/St_Johns", date(2010, 11, 7), 0, "2010-11-07T02:30:00Z"),  # 00:01 went back to 23:01
        ("America/St_Johns", date(2010, 11, 7), 1, "2010-11-07T03:31:00Z"),
        ("America/Havana", date(2026, 11, 1), 0, "2026-11-01T04:00:00Z"),  # midnight comes twice
        ("Australia/Lord_Howe", date(2026, 10, 4), 135, "2026-10-03T15:30:00Z"),  # a gap of half an hour
        ("Pacific/Apia", date(2011, 12, 30), 540, "2011-12-30T10:00:00Z"),  # no such day
        ("Pacific/Apia", date(2011, 12, 31), 0, "2011-12-30T10:00:00Z"),
        ("Pacific/Kwajalein", date(1993, 8, 21), 540, "1993-08-21T12:00:00Z"),
    ],
)
def test_known_oddities(zone: str, day: date, minutes: int, expected: str) -> None:
    assert first_instant(zone, day, minutes) == parse_instant(expected)


def test_between_the_two_passes_of_the_hour_before_midnight_the_new_day_has_begun() -> None:
    """St. John's, 2010: at 00:01 of the 7th the clock went back to 23:01 of the 6th."""
    zone = "America/St_Johns"
    begun = parse_instant("2010-11-07T02:30:00Z")
    assert [local_day(zone, begun + n * 15 * MINUTE).day for n in (-1, 0, 1, 2, 5)] == [6, 7, 7, 7, 7]


def _moment(clock: LocalClock, day: date, minutes: int) -> str | None:
    instant = clock.moment(day, minutes)
    return None if instant is None else datetime.fromtimestamp(instant / 1e6, UTC).strftime("%d %H:%M")


def test_a_change_of_zone_neither_repeats_nor_loses_a_day() -> None:
    change = parse_instant("2026-06-11T01:00:00Z")  # New York 10 June 21:00, Tokyo 11 June 10:00
    ahead = LocalClock("America/New_York").moved("Asia/Tokyo", change)
    back = LocalClock("Asia/Tokyo").moved("America/New_York", change)
    tenth, eleventh = date(2026, 6, 10), date(2026, 6, 11)
    assert [_moment(ahead, day, 540) for day in (tenth, eleventh)] == [None, "11 01:00"]
    assert [_moment(back, day, 540) for day in (tenth, eleventh)] == [None, None]
    assert _moment(back, eleventh, 600) == "11 14:00"


def test_a_second_change_remembers_what_the_first_had_passed() -> None:
    first, second = parse_instant("2026-06-11T01:00:00Z"), parse_instant("2026-06-11T02:00:00Z")
    clock = LocalClock("Asia/Tokyo").moved("America/New_York", first).moved("Asia/Tokyo", second)
    assert [_moment(clock, date(2026, 6, 11), minutes) for minutes in (540, 600, 630, 720)] == [
        None,
        "11 02:00",
        "11 02:00",
        "11 03:00",
    ]


def test_a_zone_that_lasts_no_time_passes_nothing() -> None:
    change, again = parse_instant("2026-06-11T01:00:00Z"), parse_instant("2026-06-11T10:00:00+09:00")
    clock = LocalClock("America/New_York").moved("Asia/Tokyo", change).moved("America/New_York", again)
    assert _moment(clock, date(2026, 6, 11), 540) == "11 13:00"


@given(
    zones=st.lists(st.sampled_from(ODD), min_size=2, max_size=4),
    gaps=st.lists(st.integers(0, 3 * DAY), min_size=3, max_size=3),
    minutes=st.integers(0, 24 * 60 - 1),
)
def test_whatever_zones_an_account_moves_through_no_day_comes_twice_or_is_lost(
    zones: list[str], gaps: list[Instant], minutes: int
) -> None:
    """Days that begin well after the first zone's beginning and end well before the last one's come up once each."""
    begin = instant_of(datetime(2026, 6, 10, tzinfo=UTC))
    end = begin + 14 * DAY
    clock, since = LocalClock(zones[0]), begin
    came: list[date] = []
    days = [date(2026, 6, 8) + timedelta(days=n) for n in range(20)]
    for zone, gap in zip([*zones[1:], None], [*gaps, 0], strict=False):
        until = end if zone is None else since + gap
        for day in days:
            moment = clock.moment(day, minutes)
            if moment is not None and since <= moment < until:
                came.append(day)
        if zone is None:
            break
        clock, since = clock.moved(zone, until), until
    assert len(came) == len(set(came))
    assert set(days[4:12]) <= set(came)


def test_midnight_comes_again_where_a_change_of_zone_sets_it_back() -> None:
    change = parse_instant("2026-06-11T01:00:00Z")
    clock = LocalClock("Asia/Tokyo").moved("America/New_York", change)
    assert clock.moment(date(2026, 6, 11)) is None
    assert clock.midnight(date(2026, 6, 11)) == parse_instant("2026-06-11T04:00:00Z")
    assert clock.midnight(date(2026, 6, 1)) == change
    assert LocalClock("UTC").midnight(date(2026, 6, 11)) == parse_instant("2026-06-11T00:00:00Z")


def a_zone(change: Instant, before: int, after: int) -> ZoneInfo:
    """A zone of no place, whose offset from UTC, in minutes, changes once."""
    head = b"TZif" + bytes(16) + struct.pack(">6I", 0, 0, 0, 1, 2, 4)
    offsets = b"".join(struct.pack(">ibb", offset * 60, 0, 0) for offset in (before, after))
    return ZoneInfo.from_file(BytesIO(head + struct.pack(">ib", change // SECOND, 1) + offsets + b"ODD\0"))


@given(change=st.integers(-192, 192), before=OFFSETS, after=OFFSETS, ahead=st.integers(-1, 1), at=st.integers(0, 95))
@example(change=49, before=750, after=690, ahead=1, at=0)  # set back across midnight as it is noon in UTC
def test_whenever_a_zone_s_clocks_change_its_days_and_moments_are_those_that_the_wall_has_shown(
    change: int, before: int, after: int, ahead: int, at: int
) -> None:
    """By quarters of an hour: what the wall shows, and the latest that it has shown so far."""
    quarters = range(-288, 288)
    instants = [START + quarter * QUARTER for quarter in quarters]
    shown = [
        instant + (before if quarter < change else after) * MINUTE
        for quarter, instant in zip(quarters, instants, strict=True)
    ]
    latest = list(accumulate(shown, max))
    day = EPOCH + timedelta(days=START // DAY + ahead)
    moment = instants[bisect_left(latest, START + ahead * DAY + at * QUARTER)]
    name, zone = f"{change} {before} {after}", a_zone(START + change * QUARTER, before, after)
    with patch("app.domain.calendar.zone_info", lambda _: zone):
        assert first_instant(name, day, at * 15) == moment
        assert [local_clock(name, instant) for instant in instants] == shown
        assert [local_day(name, instant) for instant in instants] == [EPOCH + timedelta(wall // DAY) for wall in latest]


@given(begin=st.integers(-DAY, DAY), end=st.integers(-DAY, DAY), before=OFFSETS, after=OFFSETS)
@example(begin=-1, end=1, before=0, after=60)
@example(begin=0, end=1, before=0, after=60)
@example(begin=-SECOND, end=1, before=0, after=-60)
@example(begin=-DAY, end=-1, before=0, after=60)
def test_the_change_of_a_zone_s_offset_is_found_to_the_second(
    begin: Instant, end: Instant, before: int, after: int
) -> None:
    begin, end = START + min(begin, end), START + max(begin, end)
    expected = START if begin < START <= end and before != after else end
    zone = a_zone(START, before, after)
    with patch("app.domain.calendar.zone_info", lambda _: zone):
        assert change_of_offset(f"{before} to {after}", begin, end) == expected


def test_days_beyond_the_calendar_are_its_ends() -> None:
    assert days_after(date.max, 1) == date.max
    assert days_after(date.min, -1) == date.min
    assert days_after(date(2026, 6, 10), 21) == date(2026, 7, 1)


def test_send_times_are_minutes_after_midnight() -> None:
    assert [minutes_of(text) for text in ("00:00", "09:05", "23:59")] == [0, 545, 1439]
