"""What an apply changed, for people: a line for each rule and company."""

from collections.abc import Mapping
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import asdict

from app.config.check import Config
from app.config.record import definition, rules_by_id
from app.contract.instants import DAY, HOUR, MINUTE, SECOND, format_instant
from app.domain.companies import Company, Exclusion
from app.domain.rules import Late, Rule

T = TypeVar("T")
_UNITS: Final = ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"))


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
    return f"company {name}: {_differences(old, new)}"


def _differences(old: Struct, new: Struct) -> str:
    before, after = asdict(old), asdict(new)
    names = [name for name in before if before[name] != after[name]]
    return ", ".join(f"{name} {_shown(before[name])} -> {_shown(after[name])}" for name in names) or "same definition"


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


def _duration(length: int) -> str:
    unit, name = next((unit, name) for unit, name in _UNITS if length % unit == 0)
    return f"{length // unit}{name}"
