"""13: usage reaches X percent of its cap."""

from datetime import date

from app.contract.codec import Fact
from app.contract.types import UsageRecorded
from app.domain.book import Book
from app.domain.keys import subject
from app.domain.occasion import Occasion
from app.triggers.base import AccountVariables, EventTrigger, Occurrence, Present, account_variables


class Variables(AccountVariables, frozen=True, kw_only=True):
    """`percent`: X; `used_bytes` of `cap_bytes` in the cycle, of which 1 TB is 1000 GB."""

    percent: int
    used_bytes: int
    cap_bytes: int
    cycle_start: date
    cycle_end: date


def occurs(before: Book, after: Book, _fact: Fact, data: UsageRecorded) -> Occurrence | None:
    """The cycle has seen no percentage as high; rules up to it come up. A record of an older cycle is ignored."""
    usage, known = after.usages[data.policy_id], before.usages.get(data.policy_id)
    if usage.cycle_start != data.cycle_start:
        return None
    peak = known.peak if known is not None and known.cycle_start == usage.cycle_start else 0
    about = subject("usage", usage.policy_id, usage.cycle_start)
    return Occurrence(about, usage.policy_id, reached=usage.peak, reached_before=peak) if usage.peak > peak else None


def holds(present: Present, occasion: Occasion) -> bool:
    """Same cycle, and its latest record at X percent or more."""
    usage = present.book.usages.get(occasion.about or "")
    if usage is None or usage.percent < (occasion.x or 0):
        return False
    return occasion.subject == subject("usage", usage.policy_id, usage.cycle_start, occasion.x)


def message(present: Present, occasion: Occasion) -> Variables:
    """Return the usage and X."""
    usage = present.book.usages[occasion.about or ""]
    return Variables(
        **account_variables(present),
        percent=occasion.x or 0,
        used_bytes=usage.used_bytes,
        cap_bytes=usage.cap_bytes,
        cycle_start=usage.cycle_start,
        cycle_end=usage.cycle_end,
    )


TRIGGER = EventTrigger(
    id="usage_reaches_percent",
    data=UsageRecorded,
    x_min=1,
    categories=("general",),
    variables=Variables,
    message=message,
    holds=holds,
    occurs=occurs,
)
