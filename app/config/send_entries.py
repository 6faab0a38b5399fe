"""`send` of a rule or of a company: when may be sent (DOMAIN.md section 5)."""

import re
from typing import Final, NamedTuple

from app.config.entry import Entry, Refused
from app.config.values import clock, flag, weekdays
from app.config.yaml import Node, Scalar
from app.domain.hours import FULL_DAY
from app.domain.rules import Hours

_SEND: Final = 'must be fields, as {at: "09:00", window: "08:00-20:00", weekdays: mon-sat, skip_holidays: true}'
_WINDOW: Final = 'must be two times of day, as "08:00-20:00" or "20:00-06:00", the second up to 24:00'
_WEEKDAYS: Final = "must be weekdays, as mon-sat or [mon, wed-fri]"
_CLOCK: Final = "([01][0-9]|2[0-3]):([0-5][0-9])"
_OPENING: Final = re.compile(rf"{_CLOCK}-(?:{_CLOCK}|24:00)")


class Send(NamedTuple):
    """What `send` says; None and Hours() where it says nothing."""

    at: str | None = None
    hours: Hours = Hours()


def read_send(entry: Entry) -> Send:
    """Return the field `send`; what is wrong is noted in the entry's sheet. A window of null is any time."""
    send = entry.entry("send", _SEND)
    if send is None:
        return Send()
    send.only(("at", "window", "weekdays", "skip_holidays"))
    days = send.each("weekdays", weekdays, _WEEKDAYS, or_one=True)
    hours = Hours(
        window=send.read("window", _window),
        any_time=send.is_null("window"),
        weekdays=None if days is None else tuple(sorted({day for each in days for day in each})),
        skip_holidays=send.read("skip_holidays", flag),
    )
    return Send(send.read("at", clock), hours)


def _window(node: Node) -> tuple[int, int]:
    found = _OPENING.fullmatch(node.text) if isinstance(node, Scalar) else None
    if found is None:
        raise Refused(_WINDOW)
    first = _minutes(found[1], found[2])
    last = FULL_DAY if found[3] is None else _minutes(found[3], found[4])
    if first == last:
        raise Refused("must not end where it begins; for the whole day write null")
    return first, last


def _minutes(hours: str, minutes: str) -> int:
    return int(hours) * 60 + int(minutes)
