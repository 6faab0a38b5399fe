"""Which language a message is written in, and how it writes money and dates (DOMAIN.md, section 8)."""

import datetime as dt
import re
from decimal import ROUND_DOWN, Decimal

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, get_datetime_format, get_timezone_name
from babel.numbers import format_currency, format_percent, get_currency_precision
from babel.units import format_unit

DEFAULT_LANGUAGE = "en"
GB = 10**9
TB = 1000 * GB

_NARROW, _WIDE = "\u202f", "\u00a0"
"""No-break spaces: CLDR's times have the narrow one, which many mail clients' fonts show as hardly any."""
_TAG = re.compile(r"[a-z]{2,3}(_[a-z0-9]{2,8})*")


def languages(contact: str | None, company: str) -> tuple[str, ...]:
    """Return the languages to look for, best first: the contact's, the company's, English; each also without region.

    `contact` and `company` are tags or locales as upstream and operator write them: es, pt-BR, en_US.
    """
    found: list[str] = []
    for tag in (contact, company, DEFAULT_LANGUAGE):
        whole = (tag or "").strip().replace("-", "_").lower()
        if _TAG.fullmatch(whole):
            found += [whole, whole.partition("_")[0]]
    return tuple(dict.fromkeys(found))


def direction(language: str) -> str:
    """Return ltr or rtl: which way a language is written."""
    locale = _locale(language)
    return "ltr" if locale is None else locale.text_direction


def formatting_locale(contact: str | None, company: str) -> Locale:
    """Return the locale of money and dates: the contact's, with the company's region where that is one they share.

    So `es` is written as in es_US by a company of en_US, and `de`, which has no such locale, as in German at large.
    """
    theirs, ours = _locale(contact), _locale(company)
    if theirs is None:
        return ours or Locale(DEFAULT_LANGUAGE)
    if ours is None or theirs.territory is not None:
        return theirs
    if ours.language == theirs.language:
        return ours
    return _locale(f"{theirs.language}_{ours.territory}") or theirs


def money(amount: int, currency: str, locale: Locale) -> str:
    """Write `amount` minor units of an ISO 4217 currency as people of `locale` write it."""
    digits = get_currency_precision(currency)
    return format_currency(Decimal(amount).scaleb(-digits), currency, locale=locale)


def date(day: dt.date, locale: Locale) -> str:
    """Write a local calendar date in words: June 10, 2026."""
    return format_date(day, "long", locale=locale)


def day(on: dt.date, locale: Locale) -> str:
    """Write a local calendar date with its weekday: Wednesday, June 10, 2026."""
    return format_date(on, "full", locale=locale)


def time(at: dt.datetime, tz: dt.tzinfo, locale: Locale) -> str:
    """Write the local time of an instant: 9:00 AM."""
    return format_time(at, "short", tzinfo=tz, locale=locale).replace(_NARROW, _WIDE)


def zone(at: dt.datetime, tz: dt.tzinfo, locale: Locale) -> str:
    """Name the zone as it is at an instant: CDT, or in full where people of `locale` use no such letters."""
    local = at.astimezone(tz)
    short = get_timezone_name(local, "short", locale=locale)
    return short if short.isalpha() else get_timezone_name(local, "long", locale=locale)


def instant(at: dt.datetime, tz: dt.tzinfo, locale: Locale) -> str:
    """Write an instant as local date and time, with the zone: June 10, 2026, 9:00 AM CDT."""
    named = zone(at, tz, locale)
    clock = f"{time(at, tz, locale)} {named if named.isalpha() else f'({named})'}"
    joined = str(get_datetime_format("long", locale=locale))
    return joined.replace("{1}", date(at.astimezone(tz).date(), locale)).replace("{0}", clock).replace("'", "")


def percent(value: int, locale: Locale) -> str:
    """Write a whole number of percent: 80%."""
    return format_percent(Decimal(value) / 100, locale=locale)


def data_size(size: int, locale: Locale) -> str:
    """Write bytes in GB, from 1000 of them in TB: 742.5 GB, 1.25 TB; rounded down, so never as more than there is."""
    divisor, unit = (TB, "terabyte") if size >= TB else (GB, "gigabyte")
    amount = (Decimal(size) / divisor).quantize(Decimal("0.01"), ROUND_DOWN)
    return format_unit(amount, f"digital-{unit}", "short", locale=locale)


def _locale(tag: str | None) -> Locale | None:
    if not tag or not tag.strip():
        return None
    try:
        return Locale.parse(tag.strip().replace("-", "_"))
    except (ValueError, UnknownLocaleError):
        return None
