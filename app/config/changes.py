"""What an apply changed, for people: a line for each rule and company."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from msgspec import Struct
from msgspec.structs import asdict, replace

from app.config.check import Config
from app.config.record import definition, rules_by_id
from app.contract.instants import DAY, HOUR, MINUTE, SECOND, format_instant
from app.contract.types import WEEKDAYS
from app.domain.companies import Company, Exclusion, Holidays
from app.domain.rules import Filters, Hours, Late, Rule

T = TypeVar("T")
_UNITS: Final = ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"))
# Where the files call it otherwise.
_NAMES: Final = {
    "send_at": "send.at",
    "window": "send.window",
    "weekdays": "send.weekdays",
    "skip_holidays": "send.skip_holidays",
    "hours.window": "send.window",
    "hours.any_time": "send.window null",
    "hours.weekdays": "send.weekdays",
    "hours.skip_holidays": "send.skip_holidays",
    "when.minimum_amount": "when.minimum_balance.amount",
    "when.minimum_currency": "when.minimum_balance.currency",
    "holidays.excepted": "holidays.except",
    "cap": "cap.per_recipient_per_day",
    "exclusions": "delinquency_exclusions",
}


def changes(before: Config, after: Config) -> list[str]:
    """Return one line for each rule with another newest version and for each company that changed, sorted by id."""
    return [
        *(_rule_line(name, old, new) for name, old, new in _differing(_newest(before), _newest(after))),
        *(_company_line(name, old, new) for name, old, new in _differing(before.companies, after.companies)),
    ]


def _newest(config: Config) -> dict[str, Rule]:
    return {rule_id: versions[-1] for rule_id, versions in rules_by_id(config).items()}


def _differing(before: Mapping[str, T], after: Mapping[str, T]) -> list[tuple[str, T | None, T | None]]:
    trios = [(name, before.get(name), after.get(name)) for name in sorted(before.keys() | after.keys())]
    return [(name, old, new) for name, old, new in trios if old != new]


def _rule_line(name: str, old: Rule | None, new: Rule | None) -> str:
    if new is None:
        return f"{name}: forgotten"
    begins = "since ever" if new.enabled_at is None else f"from {format_instant(new.enabled_at)}"
    what = "new" if old is None else _differences(definition(old), definition(new))
    return f"{name}: version {new.version}, {begins}: {what}"


def _company_line(name: str, old: Company | None, new: Company | None) -> str:
    if old is None or new is None:
        return f"company {name}: {'new' if old is None else 'removed'}"
    return f"company {name}: {_differences(replace(old, earlier=()), replace(new, earlier=()))}"


def _differences(old: Struct, new: Struct) -> str:
    before, after = _flat(old), _flat(new)
    names = [name for name in before if before[name] != after[name]]
    return ", ".join(f"{name} {before[name]} -> {after[name]}" for name in names) or "same definition"


def _flat(struct: Struct, path: str = "") -> dict[str, str]:
    """Return each field of the struct and of those in it, by the name that it has in the files."""
    flat: dict[str, str] = {}
    for name, value in asdict(struct).items():
        if isinstance(value, Filters | Hours | Holidays):
            flat |= _flat(value, f"{name}.")
        else:
            called = _NAMES.get(path + name, path + name)
            flat[called] = _SHOWN.get(called, _shown)(value)
    return flat


def _shown(value: object) -> str:
    match value:
        case None:
            return "default"
        case bool():
            return str(value).lower()
        case tuple():
            return f"[{', '.join(map(_shown, value))}]"
        case Late():
            return f"{value.policy} within {_duration(value.within)}"
        case Exclusion():
            return " ".join(f"{name} {part}" for name, part in asdict(value).items() if part is not None)
        case _:
            return str(value)


def _window(value: tuple[int, int] | None) -> str:
    if value is None:
        return _shown(value)
    return "-".join(f"{minutes // 60:02}:{minutes % 60:02}" for minutes in value)


def _weekdays(value: tuple[int, ...] | None) -> str:
    return _shown(value and tuple(WEEKDAYS[day] for day in value))


def _duration(length: int) -> str:
    unit, name = next((unit, name) for unit, name in _UNITS if length % unit == 0)
    return f"{length // unit}{name}"


_SHOWN: Final[Mapping[str, Callable[[Any], str]]] = {"send.window": _window, "send.weekdays": _weekdays}
