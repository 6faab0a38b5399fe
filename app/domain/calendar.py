"""Local days and their moments: zones, gaps, folds and changes of zone (DOMAIN.md, section 4, Days)."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from app.contract.instants import DAY, HOUR, LATEST, MINUTE, SECOND, Instant

EPOCH = date(1970, 1, 1)
EPOCH_DATETIME = datetime(1970, 1, 1, tzinfo=UTC)
MIDNIGHT = 0
HOURS_OF_DAY = 24


@lru_cache(maxsize=2048)
def minutes_of(text: str) -> int:
    """Turn `HH:MM` into minutes after midnight."""
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


@lru_cache(maxsize=1 << 14)
def days_after(day: date, days: int) -> date:
    """Return the day so many days after `day` (before it, if negative), or the end of the calendar."""
    return date.fromordinal(min(max(day.toordinal() + days, date.min.toordinal()), date.max.toordinal()))


@lru_cache(maxsize=1024)
def zone_info(zone: str) -> ZoneInfo:
    """Return the IANA zone named `zone`."""
    return ZoneInfo(zone)


def local_clock(zone: str, instant: Instant) -> int:
    """Return what the clock on the wall shows at `instant`, as microseconds since 1970-01-01 00:00 on that wall."""
    offset = _offset_all_day(zone, instant // DAY)
    return instant + (_offset(zone, instant) if offset is None else offset)


@lru_cache(maxsize=1 << 14)
def _offset_all_day(zone: str, utc_day: int) -> int | None:
    """Return the zone's offset from UTC in the course of a day of UTC, as `_offset`; None where it changes."""
    begin = utc_day * DAY
    offsets = {_offset(zone, min(begin + hour * HOUR, LATEST)) for hour in range(HOURS_OF_DAY + 1)}
    return offsets.pop() if len(offsets) == 1 else None


def _offset(zone: str, instant: Instant) -> int:
    offset = datetime.fromtimestamp(instant // SECOND, zone_info(zone)).utcoffset() or timedelta()
    return (offset.days * 86_400 + offset.seconds) * SECOND


@lru_cache(maxsize=1 << 16)
def first_instant(zone: str, day: date, minutes: int = MIDNIGHT) -> Instant:
    """Return the first instant at which the local clock shows `day` at `minutes` after midnight, or later.

    In a gap (also one of a whole day) that is the gap's end; in a fold, the first pass.
    """
    info = zone_info(zone)
    wall = datetime.combine(day, datetime.min.time()) + timedelta(minutes=minutes)
    one, other = (_instant(wall.replace(tzinfo=info, fold=fold)) for fold in (0, 1))
    return _change(zone, other, one) if other < one else one


def change_of_offset(zone: str, begin: Instant, end: Instant) -> Instant:
    """Return the instant in (begin, end) at which the zone's offset from UTC changes; `end` where it stays the same."""
    if local_clock(zone, begin) - begin == local_clock(zone, end) - end:
        return end
    return _change(zone, begin, end)


def _instant(moment: datetime) -> Instant:
    return (moment - EPOCH_DATETIME) // timedelta(microseconds=1)


def _change(zone: str, before: Instant, after: Instant) -> Instant:
    """Find the change of the offset in (before, after], to the second."""
    low, high = before // SECOND, after // SECOND
    offset = local_clock(zone, before) - before
    while high - low > 1:
        middle = (low + high) // 2
        if local_clock(zone, middle * SECOND) - middle * SECOND == offset:
            low = middle
        else:
            high = middle
    return high * SECOND


@lru_cache(maxsize=1 << 12)
def local_day(zone: str, instant: Instant) -> date:
    """Return the local day at `instant`: the last one begun, even where a fold takes the clock back before midnight."""
    day, later = _days_of(zone, instant // DAY)
    for begin, begun in later:
        if begin <= instant:
            day = begun
    return day


@lru_cache(maxsize=1 << 14)
def _days_of(zone: str, utc_day: int) -> tuple[date, tuple[tuple[Instant, date], ...]]:
    """Return the local day as a day of UTC begins, and those that begin in its course: one, as a rule."""
    begin = utc_day * DAY
    first, last = _last_begun(zone, begin), _last_begun(zone, min(begin + DAY, LATEST))
    days = (days_after(first, ahead) for ahead in range(1, (last - first).days + 1))
    return first, tuple((first_instant(zone, day), day) for day in days)


def _last_begun(zone: str, instant: Instant) -> date:
    day = EPOCH + timedelta(days=local_clock(zone, instant) // DAY)
    following = days_after(day, 1)
    return following if first_instant(zone, following) <= instant else day


class LocalClock(msgspec.Struct, frozen=True, gc=False):
    """An account's clock on the wall, with what a change of zone left behind.

    `passed`: what the wall showed, at most, when the zone last changed (see `local_clock`); `since`: that instant.
    """

    zone: str
    since: Instant = 0
    passed: int | None = None

    def moment(self, day: date, minutes: int = MIDNIGHT) -> Instant | None:
        """Return the instant of `day` at `minutes`; None if an earlier zone has had it already.

        What a change of zone jumps over comes at the change.
        """
        instant = first_instant(self.zone, day, minutes)
        if self.passed is None:
            return instant
        if (day - EPOCH).days * DAY + minutes * MINUTE < self.passed:
            return None
        return max(instant, self.since)

    def midnight(self, day: date) -> Instant:
        """Return the first instant of `day`, as of the last change of zone: it comes again where that set it back."""
        instant = first_instant(self.zone, day)
        return instant if self.passed is None else max(instant, self.since)

    def day(self, instant: Instant) -> date:
        """Return the local day at `instant`."""
        return local_day(self.zone, instant)

    def moved(self, zone: str, instant: Instant) -> "LocalClock":
        """Return the clock of an account whose zone becomes `zone` at `instant`."""
        if self.passed is not None and instant == self.since:  # this zone has had no time to pass anything
            return LocalClock(zone, self.since, self.passed)
        shown = local_clock(self.zone, instant)
        return LocalClock(zone, instant, shown if self.passed is None else max(shown, self.passed))
