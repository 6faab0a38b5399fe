"""Technicians' visits: the installation, and later ones, some of them put off."""

from datetime import datetime, timedelta
from typing import Any, Final

from app.dev.customers.customer import Customer, instant, written
from app.dev.customers.people import payer

TECHNICIANS: Final = ({"id": "t7", "name": "Noor Haddad"}, {"id": "t9", "name": "Sam Okafor"})
TYPES: Final = ("repair", "repair", "upgrade")
VISIT: Final = timedelta(hours=2)


def install(one: Customer, at: datetime) -> datetime:
    """Book the installation, and return when the line is up. With it done a paper is to be signed."""
    starts = instant(at.date() + timedelta(days=one.dice.randrange(2, 6)), 14 * 3600)
    job = f"{one.id}-j1"
    _schedule(one, job, "install", at, starts)
    if one.chance(0.4):
        starts += timedelta(days=1)
        _schedule(one, job, "install", at + timedelta(hours=20), starts)
    done = starts + VISIT
    if one.chance(0.5):
        paper = {
            "contract_id": f"{one.id}-k2",
            "contact_id": payer(one)["contact_id"],
            "sign_url": f"https://portal.{one.company}.example/contracts/{one.id}-k2/sign",
            "custom_message": "Thank you for having us today.",
            "cause": "job_completion",
        }
        one.say("jobs.contract.sent", done + timedelta(minutes=5), paper)
    return done + timedelta(minutes=one.dice.randrange(10, 90))


def call_for_visits(one: Customer) -> None:
    """Have a technician come once in a while; another technician alone is no news, another time is."""
    if not one.chance(0.2):
        return
    job, kind = f"{one.id}-j2", one.dice.choice(TYPES)
    at = one.some_time(one.some_day())
    starts = instant(at.date() + timedelta(days=one.dice.randrange(2, 7)), 15 * 3600)
    _schedule(one, job, kind, at, starts)
    change = one.dice.choice(("technician", "time", "off and on", "off", "none", "none"))
    later = at + timedelta(hours=5)
    if change == "technician":
        _schedule(one, job, kind, later, starts, 1)
    elif change == "time":
        _schedule(one, job, kind, later, starts + timedelta(hours=3))
    elif change.startswith("off"):
        one.say("jobs.job.unscheduled", later, {"job_id": job})
        if change == "off and on":
            _schedule(one, job, kind, later + timedelta(hours=2), starts)


def _schedule(one: Customer, job: str, kind: str, at: datetime, starts: datetime, technician: int = 0) -> None:
    data: dict[str, Any] = {
        "job_id": job,
        "job_type": kind,
        "starts_at": written(starts),
        "ends_at": written(starts + VISIT),
        "technician": TECHNICIANS[technician],
    }
    one.say("jobs.job.scheduled", at, data)
