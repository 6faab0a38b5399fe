"""What msgspec says of a record, as a ContractError: with a path from the event, without any value of it."""

import re

import msgspec

from app.contract.errors import ContractError
from app.contract.types import ACCEPTED

_PATH = re.compile(r" - at `\$([^`]*)`\Z")
_MISSING = re.compile(r"Object missing required field `(?P<name>\w+)`")
# The messages that are made of our own types and bounds; every other one might quote the record.
_HARMLESS = re.compile(r"(Expected |Invalid RFC3339 |Integer value out of range|Number out of range)")


def breach_of(error: Exception, at: str) -> ContractError:
    """The breach behind an error of msgspec's while it read `at`: the event itself ("") or its "data"."""
    if isinstance(error, msgspec.ValidationError):
        return _invalid(str(error), at)
    if isinstance(error, RecursionError):
        return ContractError(at, "nested too deeply")
    if isinstance(error, UnicodeDecodeError):
        return ContractError(at, "not UTF-8")
    return ContractError(at, f"not JSON: {str(error).removeprefix('JSON is malformed: ')}")


def _invalid(message: str, at: str) -> ContractError:
    found = _PATH.search(message)
    said, path = (message[: found.start()], found[1]) if found else (message, "")
    missing = _MISSING.fullmatch(said)
    if missing:
        path = f"{path}.{missing['name']}"
    return ContractError((at + path).removeprefix("."), "missing" if missing else _reason(said, path))


def _reason(said: str, path: str) -> str:
    if said.endswith("got `null`"):
        return "missing"  # null is as absent
    if _HARMLESS.match(said):
        return said[0].lower() + said[1:].replace("`", "")
    name = path.rpartition(".")[2].partition("[")[0]
    return f"expected one of {', '.join(ACCEPTED[name])}" if name in ACCEPTED else "not a value of its kind"
