"""A made-up provider's history for the demo: the same seed gives the same lines, byte by byte.

Accounts of three companies, in part imported; two months of invoices, paid on time, late, in part, by card after
failures, or never; of technicians' visits, data used up, and what is done in the portal (`customers`, a file a strand);
and what real logs hold besides: events sent twice, events that lag, and records that are broken.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import orjson

from app.contract.instants import DAY, HOUR, Instant, instant_of
from app.dev.customers.customer import Customer, Said, written
from app.dev.customers.story import customer
from app.simulate.run import Pause, Span

BEGIN: Final = date(2026, 6, 1)
SENT_TWICE: Final = 0.12
LAGGING: Final = 0.15
SHARE_BROKEN: Final = 20
"""Accounts for each broken record."""
FIRST_EVENTS: Final = 2
"""These keep their place: an account is known before it is billed."""


def span(days: int = 61) -> Span:
    """Return the stretch of time that the history is about; imports come the day before.

    Halfway everything stands still for 30 hours: an outage, with what it makes late, superseded or no longer true.
    """
    begin: Instant = instant_of(datetime.combine(BEGIN, time(), UTC))
    stop = begin + days // 2 * DAY + 7 * HOUR
    return Span(begin, begin + days * DAY, (Pause(stop, stop + 30 * HOUR),))


def history(accounts: int = 300, seed: int = 7, days: int = 61) -> Iterator[bytes]:
    """Yield structured CloudEvents in log order, a line each, broken ones among them."""
    said: list[Said] = []
    for number in range(1, accounts + 1):
        one = customer(number, seed, BEGIN, days)
        one.said.sort(key=lambda each: each.logged)
        said.extend(logged(one))
        if number % SHARE_BROKEN == 0:
            said.append(_broken(one, number // SHARE_BROKEN))
    said.sort(key=lambda each: each.logged)
    return (each.line + b"\n" for each in said)


def logged(one: Customer) -> list[Said]:
    """Return the account's events as they reach the log: one lags behind others, one comes a second time."""
    said = one.said
    if len(said) > FIRST_EVENTS + 1 and one.chance(LAGGING):
        place = one.dice.randrange(FIRST_EVENTS, len(said) - 1)
        late = said[place]
        said[place] = Said(said[place + 1].logged + timedelta(seconds=20), late.line, late.id)
    if said and one.chance(SENT_TWICE):
        again = one.dice.choice(said)
        said.append(Said(again.logged + timedelta(minutes=one.dice.randrange(1, 600)), again.line, again.id))
    return said


def _broken(one: Customer, number: int) -> Said:
    """Return an account event that breaks the contract, each time in another way."""
    at = one.some_time(one.begin + timedelta(days=one.dice.randrange(one.days)))
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": f"{one.id}-broken",
        "source": "/billing",
        "type": "billing.account.updated",
        "subject": one.id,
        "time": written(at),
        "data": dict(one.data),
    }
    match number % 8:
        case 0:
            event["time"] = at.strftime("%Y-%m-%dT%H:%M:%S")
        case 1:
            del event["data"]["company_id"]
        case 2:
            event["data"]["contacts"] = "none"
        case 3:
            event["data"]["time_zone"] = "Mars/Olympus_Mons"
        case 4:
            event["data"]["account_id"] = "a0000"
        case 5:
            del event["type"]
        case 6:
            # Not broken: a type that this version does not know yet is counted and passed over.
            event["type"] = "billing.credit.granted"
        case _:
            return Said(at, orjson.dumps(event)[:100], event["id"])
    return Said(at, orjson.dumps(event), event["id"])
