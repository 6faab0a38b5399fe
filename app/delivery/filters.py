"""What templates write values with: each filter for the recipient's locale, instants in the notification's zone."""

import datetime as dt
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from jinja2 import pass_context
from jinja2.runtime import Context

from app.delivery import locales


class Money(Protocol):
    """Minor units of an ISO 4217 currency."""

    @property
    def amount(self) -> int: ...
    @property
    def currency(self) -> str: ...


@pass_context
def _money(context: Context, value: Money) -> str:
    return locales.money(value.amount, value.currency, context["locale"])


@pass_context
def _date(context: Context, value: dt.date) -> str:
    return locales.date(_local(context, value), context["locale"])


@pass_context
def _day(context: Context, value: dt.date) -> str:
    return locales.day(_local(context, value), context["locale"])


@pass_context
def _time(context: Context, value: dt.datetime) -> str:
    return locales.time(value, context["zone"], context["locale"])


@pass_context
def _instant(context: Context, value: dt.datetime) -> str:
    return locales.instant(value, context["zone"], context["locale"])


@pass_context
def _zone(context: Context, value: dt.datetime) -> str:
    return locales.zone(value, context["zone"], context["locale"])


@pass_context
def _percent(context: Context, value: int) -> str:
    return locales.percent(value, context["locale"])


@pass_context
def _data_size(context: Context, value: int) -> str:
    return locales.data_size(value, context["locale"])


def _local(context: Context, value: dt.date) -> dt.date:
    return value.astimezone(context["zone"]).date() if isinstance(value, dt.datetime) else value


FILTERS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "money": _money,
        "date": _date,
        "day": _day,
        "time": _time,
        "instant": _instant,
        "zone": _zone,
        "percent": _percent,
        "data_size": _data_size,
    }
)
"""By name, as in `{{ due_on | date }}`.

`money`: $84.50. `date`: June 10, 2026, of an instant too. `day`: with its weekday. `time`: 9:00 AM. `zone`: CDT.
`instant`: date, time and zone. `percent`: 80%. `data_size`, of bytes: 742.5 GB.
"""
