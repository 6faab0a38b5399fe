"""Instants: microseconds since the Unix epoch, in UTC, as plain integers.

Arithmetic on them is exact and cheap; RFC 3339 text with an offset is how they are written down.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, TypeAlias

import msgspec

Instant: TypeAlias = int

SECOND: Instant = 1_000_000
MINUTE: Instant = 60 * SECOND
HOUR: Instant = 60 * MINUTE
DAY: Instant = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Aware: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]


def instant_of(moment: datetime) -> Instant:
    """The instant of an aware datetime; a naive one is a TypeError."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def datetime_of(instant: Instant) -> datetime:
    """The aware datetime, in UTC, of an instant."""
    return _EPOCH + timedelta(microseconds=instant)


# A day's room at both ends of the calendar: every instant that is read has a local time in every zone.
EARLIEST: Instant = instant_of(datetime(1, 1, 2, tzinfo=UTC))
LATEST: Instant = instant_of(datetime(9999, 12, 31, tzinfo=UTC))


def parse_instant(text: str) -> Instant:
    """Read RFC 3339 text with an offset; more digits than microseconds are rounded.

    Raises:
        ValueError: The text is no such thing, or outside EARLIEST..LATEST. The message never quotes it.
    """
    try:
        instant = instant_of(msgspec.convert(text, _Aware))
    except (msgspec.ValidationError, UnicodeEncodeError):
        instant = None
    if instant is None:  # raised out here, so that no context of the error holds the text
        raise ValueError("Expected an RFC 3339 date and time with an offset")
    if not EARLIEST <= instant <= LATEST:
        raise ValueError("Expected a date and time of the years 1 to 9999")
    return instant


@lru_cache(maxsize=1 << 12)
def format_instant(instant: Instant) -> str:
    """RFC 3339 in UTC, `2026-06-10T13:00:00Z`; a fraction is written only when there is one."""
    seconds, fraction = divmod(instant, SECOND)
    day, of_day = divmod(seconds, 86_400)
    text = f"{_day(day)}T{of_day // 3600:02}:{of_day // 60 % 60:02}:{of_day % 60:02}"
    return f"{text}.{fraction:06}".rstrip("0") + "Z" if fraction else text + "Z"


@lru_cache(maxsize=1 << 12)
def _day(days: int) -> str:
    return (_EPOCH + timedelta(days=days)).date().isoformat()
