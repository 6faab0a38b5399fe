"""The rules that are part of every configuration (DOMAIN.md, section 5).

They can be changed by an entry with their id, but neither removed nor disabled. As delivered they are version 0: the
entries and applies that change them count from 1.
"""

from collections.abc import Iterable
from typing import Final

from app.domain.rules import Rule

BUILT_IN: Final[tuple[Rule, ...]] = tuple(
    Rule(id=name, trigger=name, critical=True, version=0) for name in ("user_created", "user_forgot_password")
)
BUILT_IN_BY_ID: Final = {rule.id: rule for rule in BUILT_IN}


def with_built_in(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return the versions with the built-in rules before them, except those replaced by a version since ever."""
    given = tuple(rules)
    replaced = {rule.id for rule in given if rule.enabled_at is None}
    return (*(rule for rule in BUILT_IN if rule.id not in replaced), *given)
