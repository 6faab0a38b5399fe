from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.contract.instants import (
    DAY,
    EARLIEST,
    HOUR,
    LATEST,
    MINUTE,
    SECOND,
    Instant,
    datetime_of,
    format_instant,
    instant_of,
    parse_instant,
)

INSTANTS = st.integers(min_value=EARLIEST, max_value=LATEST)


def test_an_instant_counts_microseconds_since_the_epoch() -> None:
    assert parse_instant("1970-01-01T00:00:00Z") == 0
    assert parse_instant("1970-01-02T01:01:01.000001Z") == DAY + HOUR + MINUTE + SECOND + 1
    assert parse_instant("1969-12-31T23:59:59.5Z") == -SECOND // 2


def test_one_instant_has_many_offsets() -> None:
    assert parse_instant("2026-06-10T08:00:00-05:00") == parse_instant("2026-06-10T13:00:00Z")
    assert parse_instant("2026-06-10t18:30:00+05:30") == parse_instant("2026-06-10T13:00:00z")


@pytest.mark.parametrize(
    ("text", "formatted"),
    [
        ("2026-06-10T13:00:00Z", "2026-06-10T13:00:00Z"),
        ("2026-06-10T13:00:00.000Z", "2026-06-10T13:00:00Z"),
        ("2026-06-10T13:00:00.250Z", "2026-06-10T13:00:00.25Z"),
        ("2026-06-10T13:00:00.000001+00:00", "2026-06-10T13:00:00.000001Z"),
        ("2026-06-10T13:00:00.0000016Z", "2026-06-10T13:00:00.000002Z"),
        ("0999-06-10T13:00:00Z", "0999-06-10T13:00:00Z"),
    ],
)
def test_a_fraction_is_written_only_when_there_is_one(text: str, formatted: str) -> None:
    assert format_instant(parse_instant(text)) == formatted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-06-10",
        "2026-06-10T13:00:00",
        "2026-06-10T13:00Z",
        "2026-02-30T13:00:00Z",
        "2026-06-10T24:00:00Z",
        "2026-06-10T13:00:60Z",
        "1781096400",
        "2026-06-10T13:00:00Z ",
        "0001-01-01T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T00:00:00.000001Z",
        "9999-12-31T23:59:59-14:00",
        "\uff12026-06-10T13:00:00Z",
        "\ud800",
    ],
)
def test_what_is_no_instant_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_instant(text)
    assert str(refused.value).startswith("Expected ")
    assert not text or text not in str(refused.value)
    assert refused.value.__context__ is None


def test_every_instant_that_is_read_has_a_local_time_in_every_zone() -> None:
    for edge in (EARLIEST, LATEST):
        for hours in (-14, 14):
            datetime_of(edge).astimezone(timezone(timedelta(hours=hours)))


@settings(deadline=None)
@given(INSTANTS)
def test_writing_and_reading_an_instant_gives_it_back(instant: Instant) -> None:
    assert parse_instant(format_instant(instant)) == instant


@settings(deadline=None)
@given(INSTANTS)
def test_datetimes_hold_instants_exactly(instant: Instant) -> None:
    assert instant_of(datetime_of(instant)) == instant
    assert datetime_of(instant).tzinfo is UTC


def test_a_naive_datetime_is_no_instant() -> None:
    with pytest.raises(TypeError):
        instant_of(datetime(2026, 6, 10))  # noqa: DTZ001 - the point of the test
