"""5: a job gets a time and a technician, or another time."""

from datetime import datetime

from app.contract.codec import Fact
from app.contract.instants import Instant, datetime_of
from app.contract.types import JobScheduled
from app.domain.book import Book
from app.domain.keys import subject
from app.domain.occasion import Occasion
from app.triggers.base import AccountVariables, EventTrigger, Occurrence, Present, account_variables


class Variables(AccountVariables, frozen=True, kw_only=True):
    """`starts_at` and `ends_at`: instants, shown in the account's zone."""

    job_type: str
    starts_at: datetime
    ends_at: datetime
    technician: str


def occurs(before: Book, _after: Book, fact: Fact, data: JobScheduled) -> Occurrence | None:
    """Scheduled for the first time, again after it was unscheduled, or for another start."""
    known = before.jobs.get(data.job_id)
    if known is not None and known.scheduled and known.starts_at == data.starts_at:
        return None
    about = subject("job", data.job_id, _start(data.starts_at), fact.source, fact.id)
    return Occurrence(about, data.job_id, {"job_type": data.job_type})


def _start(instant: Instant) -> str:
    return datetime_of(instant).strftime("%Y%m%dT%H%M%SZ")


def holds(present: Present, occasion: Occasion) -> bool:
    """Scheduled for this start, still ahead."""
    job = present.book.jobs.get(occasion.about or "")
    if job is None or not job.scheduled or job.starts_at <= present.at:
        return False
    return occasion.subject.startswith(subject("job", job.job_id, _start(job.starts_at)) + ":")


def message(present: Present, occasion: Occasion) -> Variables:
    """Return the job."""
    job = present.book.jobs[occasion.about or ""]
    return Variables(
        **account_variables(present),
        job_type=job.job_type,
        starts_at=datetime_of(job.starts_at),
        ends_at=datetime_of(job.ends_at),
        technician=job.technician,
    )


TRIGGER = EventTrigger(
    id="job_scheduled",
    data=JobScheduled,
    categories=("general",),
    variables=Variables,
    message=message,
    holds=holds,
    occurs=occurs,
)
