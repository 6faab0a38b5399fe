"""An office whose guard allows little, or whose switches are thrown: what the tests of both begin with."""

from collections import Counter
from typing import Any

from app.domain.rules import Rule, Rulebook
from app.domain.switches import Switches
from app.engine.batch import Bounds
from app.engine.guard import Allowance
from app.engine.lane import Lane
from tests.builders import Event, a_company, a_payment, account_event, at, invoice_event
from tests.engine.office import Office

PAST, FAILED = "invoice_past_due_for_days", "payment_failed"
MANY = 5
"""Contacts of each account."""
NINE = at("2026-06-11 09:00")
SLICES = Bounds(slice=3)


def an_office(*rules: Rule, **options: Any) -> Office:
    return Office(Rulebook(rules, {"acme": a_company()}), guard=Allowance(max_per_hour=1), **options)


def switched(office: Office, switches: Switches) -> None:
    """Another record of whimbrel.config is read."""
    old = office.rulebook
    rules = [rule for trigger in (PAST, FAILED) for id_ in old.rule_ids_of(trigger) for rule in old.versions(id_)]
    office.rulebook = Rulebook(rules, old.companies, old.offset + 1, switches)


def accounts(count: int, first: int = 0) -> list[Event]:
    """Accounts of five financial contacts each, with an invoice that is due on 10 June."""
    events = []
    for number in range(first, first + count):
        contacts = [
            {"contact_id": f"c{n}", "name": "C", "email": f"c{n}@a{number}.example", "categories": ["financial"]}
            for n in range(MANY)
        ]
        events.append(account_event("2026-06-01 00:00", account=f"a{number:03}", contacts=contacts))
        events.append(invoice_event("2026-06-01 00:00", account=f"a{number:03}", invoice_id=f"i{number}"))
    return events


def failures(office: Office, count: int, first: int = 0) -> None:
    """Each of so many accounts has a payment fail, now."""
    for number in range(first, first + count):
        office.tell(a_payment(office.now, account=f"a{number:03}", payment_id=f"p{number}-{office.now}"))


def outcomes(office: Office) -> Counter[str]:
    return Counter(f"{d['outcome']}({d['reason']})" if d["reason"] else d["outcome"] for d in office.decisions())


def amid(lane: Lane) -> bool:
    """Whether some slices of the tick are done."""
    return lane.commit.cursor is not None and bool(lane.commit.cursor.after)
