"""Which language a message is written in, and how it writes money and dates (DOMAIN.md, section 8)."""

import datetime as dt
import re
from decimal import Decimal

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_currency, get_currency_precision

DEFAULT_LANGUAGE = "en"

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
    """Return the locale of money and dates: the contact's, with the company's region where both speak one language."""
    theirs, ours = _locale(contact), _locale(company)
    if theirs is None:
        return ours or Locale(DEFAULT_LANGUAGE)
    if ours is not None and ours.language == theirs.language and theirs.territory is None:
        return ours
    return theirs


def money(amount: int, currency: str, locale: Locale) -> str:
    """Write `amount` minor units of an ISO 4217 currency as people of `locale` write it."""
    digits = get_currency_precision(currency)
    return format_currency(Decimal(amount).scaleb(-digits), currency, locale=locale)


def date(day: dt.date, locale: Locale) -> str:
    """Write a local calendar date in words: June 10, 2026."""
    return format_date(day, "long", locale=locale)


def _locale(tag: str | None) -> Locale | None:
    if not tag or not tag.strip():
        return None
    try:
        return Locale.parse(tag.strip().replace("-", "_"))
    except (ValueError, UnknownLocaleError):
        return None
