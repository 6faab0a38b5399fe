"""Where a decision to send asks whether the guard lets it through (DOMAIN.md, section 4, Guard and kill switch)."""

from collections.abc import Collection

from app.domain.switches import Guard, TripId


class Gate:
    """Holds the rules whose trips are open by the configuration; lets everything else through, and counts nothing."""

    tripped = False
    """Whether a rule is held from this batch on."""

    def __init__(self, guard: Guard) -> None:
        """Take what holds for a whole batch."""
        self._guard = guard

    def trips(self, rule: str) -> tuple[TripId, ...]:
        """Return the trips under which the rule is held; none where it is not."""
        return self._guard.trips(rule)

    def frees(self, trips: Collection[TripId]) -> bool:
        """Whether what was held under the trips is let go: it is neither held nor counted again."""
        return bool(trips) and self._guard.frees(trips)

    def admits(self, rule: str, recipients: int) -> bool:
        """Whether the rule may write to so many more now; where not, it is held from now on."""
        del rule, recipients
        return True

    def count(self, rule: str, recipients: int) -> None:
        """Count recipients that the rule has written to."""

    def close(self) -> None:
        """Write what was counted."""
