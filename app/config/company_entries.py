"""An entry of companies.yaml becomes a company (DOMAIN.md section 5)."""

from datetime import date
from typing import Final

from app.config.entry import Entry
from app.config.holiday_entries import read_holidays
from app.config.send_entries import read_send
from app.config.values import address, locale, text, weekday, whole, zone
from app.domain.companies import Company, Exclusion

ACCEPTED: Final = (
    "id",
    "name",
    "from",
    "reply_to",
    "locale",
    "time_zone",
    "holidays",
    "delinquency_exclusions",
    "send",
)
_FROM: Final = "must be fields, as {name: Acme Billing, address: billing@acme.example}"
_EXCLUSION: Final = "must be a list of {day: 25, month: 12}, {day: 2, month: 1, year: 2027} or {weekday: sun}"
_LEAP_YEAR: Final = 2000


def read_company(entry: Entry) -> Company:
    """Return the company that the entry defines; what is wrong is noted in its sheet."""
    entry.only(ACCEPTED)
    from_name, from_address = _sender(entry)
    send = read_send(entry)
    return Company(
        id=entry.need("id", text, ""),
        name=entry.need("name", text, ""),
        from_name=from_name,
        from_address=from_address,
        reply_to=entry.read("reply_to", address),
        locale=entry.read("locale", locale) or "en",
        time_zone=entry.need("time_zone", zone, ""),
        send_at=send.at,
        exclusions=tuple(_exclusion(found) for found in entry.entries("delinquency_exclusions", _EXCLUSION)),
        holidays=read_holidays(entry),
        window=send.hours.window,
        weekdays=send.hours.weekdays,
        skip_holidays=send.hours.skip_holidays,
    )


def _sender(entry: Entry) -> tuple[str, str]:
    sender = entry.entry("from", _FROM)
    if sender is None:
        if not entry.has("from"):
            entry.refuse("from", f"missing: {_FROM}")
        return "", ""
    sender.only(("name", "address"))
    return sender.need("name", text, ""), sender.need("address", address, "")


def _exclusion(entry: Entry) -> Exclusion:
    if entry.has("weekday"):
        entry.only(("weekday",))
        return Exclusion(weekday=entry.read("weekday", weekday))
    entry.only(("day", "month", "year"))
    day, month = entry.need("day", whole(1), 1), entry.need("month", whole(1), 1)
    year = entry.read("year", whole(1))
    try:
        date(year or _LEAP_YEAR, month, day)
    except ValueError:
        when = f"month {month}" if year is None else f"month {month} of {year}"
        entry.refuse("day", f"must be a day that exists (found day {day} of {when})")
    return Exclusion(day=day, month=month, year=year)
