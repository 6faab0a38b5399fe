"""Usage of a policy in a cycle (DOMAIN.md, section 3, trigger 13)."""

from datetime import date

import msgspec


class Usage(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The latest record of the newest cycle; `peak` is the highest whole percentage that the cycle has seen."""

    policy_id: str
    cycle_start: date
    cycle_end: date
    used_bytes: int
    cap_bytes: int
    peak: int = 0

    @property
    def row_id(self) -> str:
        """The id that its row bears."""
        return self.policy_id

    @property
    def percent(self) -> int:
        """The whole percentage reached: `used * 100 >= X * cap` for all X up to it. Cap 0 reaches nothing."""
        return self.used_bytes * 100 // self.cap_bytes if self.cap_bytes > 0 else 0
