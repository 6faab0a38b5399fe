"""The brands that accounts belong to (DOMAIN.md sections 1 and 5)."""

from collections.abc import Iterator
from datetime import date
from functools import lru_cache

from holidays import country_holidays
from msgspec import Struct

from app.contract.instants import Instant


class Exclusion(Struct, frozen=True, omit_defaults=True):
    """Days on which no invoice is moved into delinquency.

    Either `weekday` (0 is Monday, 6 is Sunday) is set, or `day` and `month`, with `year` for that one year only.
    """

    day: int | None = None
    month: int | None = None
    year: int | None = None
    weekday: int | None = None

    def covers(self, on: date) -> bool:
        """Whether the local date `on` is excluded."""
        if self.weekday is not None:
            return on.weekday() == self.weekday
        return (on.day, on.month) == (self.day, self.month) and self.year in (None, on.year)


class Holidays(Struct, frozen=True, omit_defaults=True):
    """A company's holidays: a country's (ISO 3166, with a subdivision's), and dates added and taken away."""

    country: str | None = None
    subdivision: str | None = None
    dates: tuple[date, ...] = ()
    excepted: tuple[date, ...] = ()

    def cover(self, on: date) -> bool:
        """Whether the local date `on` is a holiday."""
        if on in self.excepted:
            return False
        return on in self.dates or (
            self.country is not None and on in _national(self.country, self.subdivision, on.year)
        )


@lru_cache(maxsize=1024)
def _national(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    return frozenset(country_holidays(country, subdiv=subdivision, years=year))


class EarlierZone(Struct, frozen=True, omit_defaults=True):
    """The time zone that a company had before an apply gave it another.

    `until`: the first instant of the next. 0 on whimbrel.config: when the record is in force, as `enabled_at: apply`.
    """

    zone: str
    until: Instant = 0


class Company(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of companies.yaml.

    `time_zone` is an IANA name, `locale` one that Babel knows (`en_US`), `send_at` local time as `HH:MM`. `earlier` is
    what an apply has noted, oldest first: no entry of the file.
    """

    id: str
    name: str
    from_name: str
    from_address: str
    reply_to: str | None = None
    locale: str = "en"
    time_zone: str
    send_at: str | None = None
    exclusions: tuple[Exclusion, ...] = ()
    holidays: Holidays = Holidays()
    window: tuple[int, int] | None = None
    weekdays: tuple[int, ...] | None = None
    skip_holidays: bool | None = None
    earlier: tuple[EarlierZone, ...] = ()

    def zone_at(self, instant: Instant) -> str:
        """Return the time zone in force at the instant."""
        if not self.earlier:
            return self.time_zone
        return next((each.zone for each in self.earlier if instant < each.until), self.time_zone)

    def moves(self, begin: Instant, end: Instant) -> Iterator[Instant]:
        """Yield the instants from `begin` on, before `end`, at which the time zone changes."""
        return (each.until for each in self.earlier if begin <= each.until < end)

    def excludes(self, on: date) -> bool:
        """Whether no invoice may be moved into delinquency on the local date `on`."""
        return any(exclusion.covers(on) for exclusion in self.exclusions)
