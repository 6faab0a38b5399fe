"""A load by the clock: events of now, a day rule whose moment comes within the run, and its right decisions.

`live(seed, accounts, moment)` begins with nothing said. Once the workers are ready, `speak(load, begin)` makes its
events from `begin` on: every account is billed, some attempts to charge its card fail, and half of the accounts pay,
before the moment of the rule `past_due` or after it; nothing is said within `QUIET` of the moment. `publish` sends each
event at its own time. Whoever pays before its mail has left gets none, if that takes so long that it is asked about.
"""

import asyncio
import dataclasses
import random
from collections.abc import Callable
from typing import Any, Final

from app import clock
from app.config.check import Config
from app.contract.codec import glimpse
from app.contract.instants import MINUTE, SECOND, Instant, datetime_of
from app.dev.play import lines_of
from app.domain.calendar import days_after
from app.engine.ticks import MILLISECOND
from app.simulate.run import Span
from app.streams import client
from app.streams.names import Names
from tests.builders import Event, a_company, a_payment, a_rule, account_event, invoice_event, paid, written
from tests.faults.load import Load

QUIET: Final = 4 * SECOND
AFTER: Final = 15 * SECOND
"""For so long events come after the moment."""
PAST: Final = Span(0, 0)
"""The span of what is published at once."""


def moment_after(instant: Instant) -> Instant:
    """Return the next full minute."""
    return -(-instant // MINUTE) * MINUTE


def second_after(instant: Instant) -> Instant:
    """Return the next full second but one."""
    return (instant // SECOND + 2) * SECOND


def live(moment: Instant) -> Load:
    """Return a load without events; its day rule is due at `moment`, a full minute."""
    rules = (
        a_rule("payment_failed", "failed"),
        a_rule("initial_invoice", "billed"),
        a_rule("invoice_past_due_for_days", "past_due", x=1, send_at=datetime_of(moment).strftime("%H:%M")),
    )
    config = Config(rules, {"acme": a_company(time_zone="UTC")})
    return Load(lines=(), config=config, span=Span(moment, moment + AFTER), instead=frozenset({"withdrawn"}))


def speak(load: Load, begin: Instant, seed: int, accounts: int = 200) -> Load:
    """Return the load with events from `begin`, which lies well before its moment."""
    moment, chance = load.span.begin, random.Random(f"live {seed}")
    said: list[tuple[Instant, bytes]] = []
    for number in range(accounts):
        for time, event in _account(f"a{number:03}", begin, moment, chance):
            said.append((time, written(event) + b"\n"))
    said.sort(key=lambda each: each[0])
    return dataclasses.replace(load, lines=[line for _, line in said], span=Span(begin, moment + AFTER))


def _account(account: str, begin: Instant, moment: Instant, chance: random.Random) -> list[tuple[Instant, Event]]:
    day = datetime_of(moment).date()
    before, after = (begin, moment - QUIET), (moment + QUIET, moment + AFTER)
    known, billed, pays = sorted(_some_time(before, chance) for _ in range(3))
    invoice: dict[str, Any] = {"account": account, "invoice_id": f"i-{account}", "issued_on": str(days_after(day, -20))}
    invoice |= {"due_on": str(days_after(day, -1)), "grace_days": 5}
    contact = {"contact_id": "fin", "name": "Fin", "email": f"fin@{account}.example", "categories": ["financial"]}
    events = [
        (known, account_event(known, account=account, id_=f"{account}-known", contacts=[contact])),
        (billed, invoice_event(billed, id_=f"{account}-billed", **invoice)),
    ]
    if chance.random() < 0.5:
        pays = pays if chance.random() < 0.5 else _some_time(after, chance)
        events.append((pays, paid(pays, id_=f"{account}-pays", **invoice)))
    for attempt in range(chance.randrange(4)):
        time = _some_time(chance.choice((before, after)), chance)
        id_ = f"{account}-failed-{attempt}"
        events.append((time, a_payment(time, account=account, id_=id_, payment_id=id_, attempt=1)))
    return events


def _some_time(within: tuple[Instant, Instant], chance: random.Random) -> Instant:
    return chance.randrange(within[0], within[1]) // SECOND * SECOND


async def publish(
    bootstrap: str, names: Names, load: Load, stamp: Callable[[Instant], Instant] = lambda time: time
) -> None:
    """Send each event at its time, and return when the span is over; `stamp` gives its record's timestamp."""
    async with client.opened_producer(bootstrap) as producer:
        for line in lines_of(load.lines):
            time = glimpse(line.value).time or 0
            await _until(time)
            topic, timestamp = names.prefix + line.topic, stamp(time) // MILLISECOND
            await producer.send(topic, line.value, line.key, timestamp_ms=timestamp)
        await producer.flush()
    await _until(load.span.until)


async def _until(instant: Instant) -> None:
    await asyncio.sleep(max(0, instant - clock.now()) / SECOND)
