"""A job at an account (DOMAIN.md, section 3, trigger 5)."""

import msgspec

from app.contract.instants import Instant


class Job(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One job, as last told; `scheduled` False once it has been unscheduled."""

    job_id: str
    job_type: str
    starts_at: Instant
    ends_at: Instant
    technician: str
    scheduled: bool = True

    @property
    def row_id(self) -> str:
        """The id that its row bears."""
        return self.job_id
