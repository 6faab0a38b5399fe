"""What single values of the configuration may be; each parser says in its refusal what it accepts."""

import re
from collections.abc import Iterable
from datetime import date
from typing import Final

from babel.core import Locale, UnknownLocaleError
from babel.numbers import list_currencies

from app.config.entry import Parser, Refused, suggestion
from app.config.yaml import Node, Scalar
from app.contract.instants import DAY, HOUR, MINUTE, SECOND, Instant, parse_instant
from app.contract.types import WEEKDAYS
from app.contract.zones import is_zone, zones

# Later dates and instants of a day rule stay far inside what calendars can count.
_MOST: Final = 9_999
_MOST_TEXT: Final = 200
_FLAGS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_UNITS: Final = {"d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND}
# What was decided is remembered for 400 days; nothing may be sent later than that.
_LONGEST: Final = 400 * DAY
_ADDRESS: Final = re.compile(r'[^\s@<>()\[\],;:"\\]+@[^\s@<>()\[\],;:"\\]+')


def text(node: Node) -> str:
    """A text on one line, as it looks: `007` and `NO` too."""
    if (
        not isinstance(node, Scalar)
        or not node.text.isprintable()
        or not 0 < len(node.text) <= _MOST_TEXT
        or node.text != node.text.strip()
    ):
        raise Refused(f"must be a text on one line, 1 to {_MOST_TEXT} characters, no spaces around it")
    return node.text


def whole(least: int, of: str = "", most: int = _MOST) -> Parser[int]:
    """A whole number from `least` to `most`, `of` the unit named."""

    def parse(node: Node) -> int:
        must = f"must be a whole number{of and f' of {of}'}, {least} or more"
        if not isinstance(node, Scalar) or not node.plain or not re.fullmatch(r"0|[1-9][0-9]{0,17}", node.text):
            raise Refused(must)
        value = int(node.text)
        if value < least:
            raise Refused(must)
        if value > most:
            raise Refused(f"{must}, at most {most}")
        return value

    return parse


def flag(node: Node) -> bool:
    """Yes or no, written true or false, and no other word for them."""
    if not isinstance(node, Scalar) or not node.plain or node.text not in _FLAGS:
        raise Refused("must be true or false")
    return _FLAGS[node.text]


def one_of(accepted: Iterable[str]) -> Parser[str]:
    """One of the words."""
    words = tuple(accepted)

    def parse(node: Node) -> str:
        if isinstance(node, Scalar) and node.text in words:
            return node.text
        near = suggestion(node.text, words) if isinstance(node, Scalar) else ""
        raise Refused(f"must be one of {', '.join(words)}{near}")

    return parse


def clock(node: Node) -> str:
    """A local time, `HH:MM`."""
    if not isinstance(node, Scalar) or not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", node.text):
        raise Refused('must be a time of day from "00:00" to "23:59"')
    return node.text


def duration(node: Node) -> int:
    """Microseconds of `3d`, `12h`, `90m` or `30s`."""
    found = re.fullmatch(r"([1-9][0-9]{0,8})([dhms])", node.text) if isinstance(node, Scalar) else None
    length = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < length <= _LONGEST:
        raise Refused("must be a whole number of d, h, m or s, as 3d or 12h, at most 400d")
    return length


def instant(node: Node) -> Instant:
    """An instant with its offset."""
    try:
        return parse_instant(node.text if isinstance(node, Scalar) else "")
    except ValueError as error:
        raise Refused("must be an instant with an offset, as 2026-06-01T00:00:00Z") from error


def zone(node: Node) -> str:
    """An IANA time zone."""
    name = node.text if isinstance(node, Scalar) else ""
    if not is_zone(name):
        raise Refused(f"must be an IANA time zone, as America/Chicago{suggestion(name, zones())}")
    return name


def locale(node: Node) -> str:
    """A locale that Babel knows."""
    name = node.text.replace("-", "_") if isinstance(node, Scalar) else ""
    try:
        Locale.parse(name)
    except (ValueError, UnknownLocaleError) as error:
        raise Refused("must be a locale, as en_US or de") from error
    return name


def address(node: Node) -> str:
    """An e-mail address, without a name."""
    if not isinstance(node, Scalar) or not _ADDRESS.fullmatch(node.text) or not node.text.isprintable():
        raise Refused("must be one e-mail address, as billing@acme.example")
    return node.text


def weekday(node: Node) -> int:
    """Monday is 0."""
    return WEEKDAYS.index(one_of(WEEKDAYS)(node))


def weekdays(node: Node) -> tuple[int, ...]:
    """One weekday, or a range of them, which may go on after Sunday: `mon`, `mon-sat`, `sat-mon`. Monday is 0."""
    first, dash, last = (node.text if isinstance(node, Scalar) else "").partition("-")
    if first in WEEKDAYS and not dash:
        return (WEEKDAYS.index(first),)
    if first in WEEKDAYS and last in WEEKDAYS and first != last:
        begin = WEEKDAYS.index(first)
        length = (WEEKDAYS.index(last) - begin) % len(WEEKDAYS) + 1
        return tuple((begin + further) % len(WEEKDAYS) for further in range(length))
    raise Refused(f"must be one of {', '.join(WEEKDAYS)} or a range of them, as mon-sat")


def day(node: Node) -> date:
    """A calendar date."""
    written = node.text if isinstance(node, Scalar) else ""
    try:
        found = date.fromisoformat(written)
    except ValueError:
        found = None
    if found is None or found.isoformat() != written:
        raise Refused("must be a date, as 2026-12-24")
    return found


def currency(node: Node) -> str:
    """An ISO 4217 currency."""
    name = node.text if isinstance(node, Scalar) else ""
    known = list_currencies()
    if name not in known:
        near = f"; did you mean {name.upper()}?" if name.upper() in known else ""
        raise Refused(f"must be an ISO 4217 currency, as USD{near}")
    return name
