"""A customer's whole story: how they came, and what happens to them, strand by strand."""

from collections.abc import Callable, Mapping
from datetime import date
from random import Random
from typing import Final

from app.dev.customers.arrival import arrive
from app.dev.customers.billing import bill_monthly
from app.dev.customers.cards import keep_cards
from app.dev.customers.changes import change
from app.dev.customers.customer import Customer
from app.dev.customers.jobs import call_for_visits
from app.dev.customers.people import COMPANIES, account
from app.dev.customers.portal import log_in
from app.dev.customers.usage import use

STRANDS: Final[Mapping[str, Callable[[Customer], None]]] = {
    "arrival": arrive,
    "cards": keep_cards,
    "billing": bill_monthly,
    "usage": use,
    "jobs": call_for_visits,
    "portal": log_in,
    "changes": change,
}


def customer(number: int, seed: int, begin: date, days: int) -> Customer:
    """Tell the story of customer `number`. Each strand has dice of its own: none depends on what another throws."""
    dice = Random(f"{seed}:{number}")
    one = Customer(f"a{number:04}", dice.choice(COMPANIES), dice, begin, days)
    one.autopay = one.chance(0.4)
    one.data = account(one)
    for name, tell in STRANDS.items():
        one.dice = Random(f"{seed}:{number}:{name}")
        tell(one)
    return one
