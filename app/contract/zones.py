"""The names of the IANA time zones, from the pinned tzdata and not from the machine: every worker knows the same."""

from functools import cache
from importlib.resources import files


def is_zone(name: str) -> bool:
    """Whether `zoneinfo.ZoneInfo(name)` is a zone on every machine; `localtime` and the like are none."""
    return name in zones()


@cache
def zones() -> frozenset[str]:
    """Return all of them, but for the one that stands for none."""
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split()) - {"Factory"}
