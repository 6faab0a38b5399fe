"""The examples of docs/contract.md: the publishers' document is the tests' source of sound events."""

import copy
import json
import re
from pathlib import Path
from typing import Any, TypeAlias

from msgspec.structs import fields

from app.contract.codec import EVENT_TYPES

Event: TypeAlias = dict[str, Any]

DOCUMENT = Path(__file__).parents[3] / "docs" / "contract.md"
_SECTION = re.compile(
    r"^### (?P<type>\S+)\n.*?^Required: (?P<required>.*?)\.\n.*?^```json\n(?P<example>.*?)^```",
    re.MULTILINE | re.DOTALL,
)

SECTIONS = {found["type"]: found for found in _SECTION.finditer(DOCUMENT.read_text("utf-8"))}


def example(type_: str, /, **attributes: Any) -> Event:
    """The document's event of this type, with other attributes where given."""
    event: Event = json.loads(SECTIONS[type_]["example"])
    return event | copy.deepcopy(attributes)


def with_data(type_: str, /, **members: Any) -> Event:
    """The document's event of this type, with other members of its data where given."""
    event = example(type_)
    return event | {"data": event["data"] | members}


def without(type_: str, member: str) -> Event:
    """The document's event of this type, without one member of its data."""
    event = example(type_)
    return event | {"data": {name: value for name, value in event["data"].items() if name != member}}


def written(event: Event) -> bytes:
    """As it stands in a record's value."""
    return json.dumps(event).encode()


def required_of(type_: str) -> list[str]:
    """The members that the data of this type must have."""
    return [field.name for field in fields(EVENT_TYPES[type_]) if field.required]
