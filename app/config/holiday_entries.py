"""`holidays` of a company (DOMAIN.md section 5)."""

from typing import Any, Final

from holidays import country_holidays
from holidays.registry import COUNTRIES

from app.config.entry import Entry, Parser, Refused, suggestion
from app.config.values import day
from app.config.yaml import Node, Scalar
from app.domain.companies import Holidays

_HOLIDAYS: Final = "must be fields, as {country: US, subdivision: IL, dates: [2026-12-24], except: [2026-10-12]}"
_DATES: Final = "must be a list of dates, as [2026-12-24]"
_COUNTRY: Final = "must be the ISO 3166 code of a country, as US"


def read_holidays(entry: Entry) -> Holidays:
    """Return the field `holidays`; what is wrong is noted in the entry's sheet."""
    holidays = entry.entry("holidays", _HOLIDAYS)
    if holidays is None:
        return Holidays()
    holidays.only(("country", "subdivision", "dates", "except"))
    country = holidays.read("country", _country)
    if holidays.has("subdivision") and not holidays.has("country"):
        holidays.refuse("subdivision", "needs a country beside it")
    return Holidays(
        country=country,
        subdivision=holidays.read("subdivision", _subdivision(country)) if country else None,
        dates=holidays.each("dates", day, _DATES) or (),
        excepted=holidays.each("except", day, _DATES) or (),
    )


def _country(node: Node) -> str:
    name = node.text if isinstance(node, Scalar) else ""
    near = ""
    for country in COUNTRIES.values():
        code = str(country[1])
        if name == code:
            return code
        if name.replace(" ", "").casefold() in {known.casefold() for known in country}:
            near = f"; did you mean {code}?"
    raise Refused(f"{_COUNTRY}{near}")


def _subdivision(country: str) -> Parser[str]:
    # The library brings no types.
    calendar: Any = country_holidays(country)
    codes: tuple[str, ...] = calendar.subdivisions

    def parse(node: Node) -> str:
        name = node.text if isinstance(node, Scalar) else ""
        if name in codes:
            return name
        if not codes:
            raise Refused(f"{country} has no subdivisions with holidays of their own")
        meant = calendar.subdivisions_aliases.get(name)
        near = f"; did you mean {meant}?" if meant else suggestion(name, codes)
        raise Refused(f"must be one of {', '.join(codes)}{near}")

    return parse
