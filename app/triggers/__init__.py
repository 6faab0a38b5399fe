"""The triggers: one a file, named by its id, found by being there."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType

from app.triggers.base import DayTrigger, EventTrigger


def _found() -> dict[str, EventTrigger | DayTrigger]:
    names = sorted(module.name for module in iter_modules(__path__) if module.name != "base")
    triggers = (import_module(f"{__name__}.{name}").TRIGGER for name in names)
    return {trigger.id: trigger for trigger in triggers}


REGISTRY: Mapping[str, EventTrigger | DayTrigger] = MappingProxyType(_found())
EVENT_TRIGGERS = tuple(trigger for trigger in REGISTRY.values() if isinstance(trigger, EventTrigger))
DAY_TRIGGERS = tuple(trigger for trigger in REGISTRY.values() if isinstance(trigger, DayTrigger))
