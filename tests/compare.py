"""Differences between two sets of decisions, each a line of `simulate`'s; order and `decided_at` do not matter."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from app.contract.instants import parse_instant

FIELDS = ("rule", "trigger", "account_id", "subject", "moment", "outcome", "reason", "recipients", "dedup_keys")


def differences(expected: Iterable[str | bytes], actual: Iterable[str | bytes]) -> list[str]:
    """Return `- line` for each that is missing and `+ line` for each that is not expected."""
    wanted, found = _counted(expected), _counted(actual)
    missing, unexpected = wanted - found, found - wanted
    return [f"- {line}" for line in sorted(missing.elements())] + [
        f"+ {line}" for line in sorted(unexpected.elements())
    ]


def _counted(lines: Iterable[str | bytes]) -> Counter[str]:
    return Counter(_normal(json.loads(line)) for line in lines if line.strip())


def _normal(decision: dict[str, Any]) -> str:
    decision["moment"] = parse_instant(decision["moment"])
    for name in ("recipients", "dedup_keys"):
        decision[name] = sorted(decision.get(name) or [])
    return json.dumps({name: decision.get(name) for name in FIELDS})
