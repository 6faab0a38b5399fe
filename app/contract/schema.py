"""JSON Schemas (2020-12) of structured events, made from the Structs that decode them."""

from typing import Any

import msgspec

from app.contract.codec import EVENT_TYPES, topic_for
from app.contract.types import WrittenInstant

_TEXT = {"type": "string", "minLength": 1}
_INSTANT = {"type": "string", "format": "date-time"}


def schema_of(type_: str) -> dict[str, Any]:
    """The schema of a whole event of this type, its data included. A type not in the contract is a KeyError."""
    kind = EVENT_TYPES[type_]
    (data,), parts = msgspec.json.schema_components([kind], schema_hook=_written, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": type_,
        "description": f"Topic {topic_for(type_)}; the record's key is the subject.",
        "type": "object",
        "required": ["specversion", "id", "source", "type", "subject", "time", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": _TEXT,
            "source": _TEXT,
            "type": {"const": type_},
            "subject": _TEXT,
            "time": _INSTANT,
            "data": data,
        },
        "$defs": {name: _nullable(part) for name, part in parts.items()},
    }


def _written(kind: type) -> dict[str, Any]:
    if kind is WrittenInstant:
        return dict(_INSTANT)
    raise NotImplementedError(f"no schema for {kind.__name__}")


def _nullable(part: dict[str, Any]) -> dict[str, Any]:
    """Every member that may be absent may be null, also one with another default."""
    required = part.get("required", ())
    members = {name: told if name in required else _or_null(told) for name, told in part["properties"].items()}
    return {**part, "properties": members}


def _or_null(told: dict[str, Any]) -> dict[str, Any]:
    null = {"type": "null"}
    if null in told.get("anyOf", ()):
        return told
    outer = {"default": told["default"]} if "default" in told else {}
    return {"anyOf": [{name: part for name, part in told.items() if name != "default"}, null], **outer}
