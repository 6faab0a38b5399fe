"""One made-up customer and what is said of them. The same seed tells the same story."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any, Final

import orjson

from app.contract.instants import format_instant, instant_of

CURRENCIES: Final = {"harbor": "USD", "mesa": "USD", "nordlicht": "EUR"}


@dataclass(frozen=True)
class Said:
    """An event as it is logged: `logged` is when it reaches the log, which may be later than the event's own time."""

    logged: datetime
    line: bytes
    id: str


@dataclass
class Customer:
    """An account and its story so far, from `begin` for `days`. Everything random comes from `dice`."""

    id: str
    company: str
    dice: Random
    begin: date
    days: int
    said: list[Said] = field(default_factory=list)
    autopay: bool = False
    method: dict[str, Any] = field(default_factory=lambda: {"kind": "bank"})
    """What payments are made with."""
    data: dict[str, Any] = field(default_factory=dict)
    """The account as `billing.account.updated` tells of it."""
    joined: datetime = field(init=False)
    """When the account became active here, as its arrival says; imported ones are so from the beginning."""
    imported: bool = False

    @property
    def currency(self) -> str:
        """What the customer pays in."""
        return CURRENCIES[self.company]

    @property
    def end(self) -> datetime:
        """When the story is over."""
        return instant(self.begin + timedelta(days=self.days))

    def say(self, kind: str, at: datetime, data: dict[str, Any], subject: str | None = None) -> None:
        """Log an event that happens at `at`, unless the story is over by then; of the account, or of another subject.

        Its source is the service that publishes events of this kind.
        """
        if at >= self.end:
            return
        id_ = f"{self.id}-{len(self.said) + 1}"
        event = {
            "specversion": "1.0",
            "id": id_,
            "source": "/" + kind.partition(".")[0],
            "type": kind,
            "subject": subject or self.id,
            "time": written(at),
            "datacontenttype": "application/json",
            "data": data,
        }
        self.said.append(Said(at, orjson.dumps(event), id_))

    def chance(self, share: float) -> bool:
        """Return true in this share of cases."""
        return self.dice.random() < share

    def some_time(self, day: date, earliest: int = 6, latest: int = 22) -> datetime:
        """Return a time of that day, between these hours of UTC."""
        return instant(day, earliest * 3600 + self.dice.randrange((latest - earliest) * 3600))

    def some_day(self) -> date:
        """Return a day on which the account is active here."""
        first = self.joined.date() + timedelta(days=1)
        return first + timedelta(days=self.dice.randrange(max(1, (self.end.date() - first).days)))


def instant(day: date, second: int = 0) -> datetime:
    """Return that second of the day in UTC."""
    return datetime.combine(day, time(), UTC) + timedelta(seconds=second)


def written(at: datetime) -> str:
    """Return the instant as events write it."""
    return format_instant(instant_of(at))
