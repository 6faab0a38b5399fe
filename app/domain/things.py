"""What facts say of cards, jobs and usage (DOMAIN.md, section 2)."""

from collections.abc import Mapping

from msgspec.structs import replace

from app.contract.codec import Fact
from app.contract.types import CardData, CardRemoved, JobScheduled, JobUnscheduled, UsageRecorded
from app.domain.card import Card
from app.domain.job import Job
from app.domain.usage import Usage


def stored(cards: Mapping[str, Card], data: CardData | CardRemoved, fact: Fact) -> dict[str, Card]:
    """Return the cards after one was stored, changed or removed."""
    others = {card_id: card for card_id, card in cards.items() if card_id != data.card_id}
    if isinstance(data, CardRemoved):
        return others
    known = cards.get(data.card_id)
    card = Card(data.card_id, data.brand, data.last4, data.expires, data.autopay, fact.time, fact.is_snapshot)
    if known is not None and known.expires == card.expires and known.autopay >= card.autopay:
        card = replace(card, since=known.since, silent=known.silent)
    return others | {card.card_id: card if known is None else replace(card, zone_key=known.zone_key)}


def planned(jobs: Mapping[str, Job], data: JobScheduled | JobUnscheduled) -> dict[str, Job]:
    """Return the jobs after one got its time and technician, or lost them."""
    if isinstance(data, JobScheduled):
        job = Job(data.job_id, data.job_type, data.starts_at, data.ends_at, data.technician.name)
        return {**jobs, job.job_id: job}
    known = jobs.get(data.job_id)
    return {**jobs, known.job_id: replace(known, scheduled=False)} if known else dict(jobs)


def used(usages: Mapping[str, Usage], data: UsageRecorded) -> dict[str, Usage]:
    """Return the usages after a record; one of an older cycle than the known one is ignored."""
    known = usages.get(data.policy_id)
    if known is not None and data.cycle_start < known.cycle_start:
        return dict(usages)
    usage = Usage(data.policy_id, data.cycle_start, data.cycle_end, data.used_bytes, data.cap_bytes)
    before = known.peak if known is not None and known.cycle_start == usage.cycle_start else 0
    return {**usages, usage.policy_id: replace(usage, peak=max(before, usage.percent))}
