"""A stored card (DOMAIN.md, sections 2 and 3, trigger 3)."""

from calendar import monthrange
from datetime import MAXYEAR, MINYEAR, date
from functools import lru_cache

import msgspec

from app.contract.instants import Instant


class Card(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One card. `expires` is YYYY-MM; `since`: the instant at which it was stored, set to autopay or given this expiry.

    `silent`: by a snapshot, or before its account by one: it fires on its opening day alone.
    """

    card_id: str
    brand: str
    last4: str
    expires: str
    autopay: bool
    since: Instant
    silent: bool = False
    zone_key: str = ""

    @property
    def row_id(self) -> str:
        """The id that its row bears."""
        return self.card_id

    @property
    def last_day(self) -> date:
        """The day on which it expires: the last of its month."""
        return _expiry(self.expires)


@lru_cache(maxsize=1 << 10)
def _expiry(month: str) -> date:
    return last_of_month(int(month[:4]), int(month[5:]))


def last_of_month(year: int, month: int) -> date:
    """Return the last day of a month; months beyond December or before January count on, to the calendar's ends."""
    months = min(max(year * 12 + month - 1, MINYEAR * 12), MAXYEAR * 12 + 11)
    year, month = months // 12, months % 12 + 1
    return date(year, month, monthrange(year, month)[1])


def months_before(day: date, months: int) -> date:
    """Return the same day of an earlier month, clipped to that month's end."""
    end = last_of_month(day.year, day.month - months)
    return end.replace(day=min(day.day, end.day))
