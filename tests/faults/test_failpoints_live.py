"""The points that only live workers come by: ticks of their own, the guard's trips, what is given back."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from app import clock
from app.config.check import Config
from app.dev.kafka import DevKafka
from app.engine.records import COMMIT_KEY
from app.simulate.run import Span
from app.streams import client, config_apply
from app.streams.names import Names
from tests.builders import Event, a_company, a_payment, a_rule, account_event, written
from tests.failpoints import TRIP
from tests.faults import evidence, verifier
from tests.faults.load import Load
from tests.faults.run import PARTITIONS, Run
from tests.faults.test_failpoints import LIVE_ONLY
from tests.faults.victims import COMMAND, Strikes
from tests.kafka.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.long]

CONTACTS = 5
SHARE = 100
"""Recipients of a rule in an hour, of each partition: the least there is."""
ALLOWED = SHARE // CONTACTS
HELD = 3
OUTCOMES = ("failed", "succeeded")
"""Of payments: each has a rule of its own."""
WHERE = {f"a{number}-{partition}": partition for number in range(ALLOWED + HELD) for partition in range(PARTITIONS)}
"""Each account's partition."""


class Provider:
    """What upstream publishes: more payments in each partition than a rule may write of."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._left = list(OUTCOMES)

    async def open_accounts(self) -> None:
        contacts: list[dict[str, Any]] = [
            {"contact_id": f"c{n}", "name": "C", "email": f"c{n}@a.example", "categories": ["financial"]}
            for n in range(CONTACTS)
        ]
        await self._publish(lambda account: account_event(clock.now(), account=account, contacts=contacts))

    async def payments(self) -> bool:
        """Publish a payment of each account, with another outcome than the last time; nothing once all were there."""
        if self._left:
            outcome = self._left.pop(0)
            await self._publish(
                lambda name: a_payment(clock.now(), outcome, account=name, payment_id=f"{outcome}-{name}")
            )
        return True

    async def _publish(self, event: Callable[[str], Event]) -> None:
        async with client.opened_producer(self._run.bootstrap) as producer:
            for account, partition in WHERE.items():
                await producer.send(
                    self._run.names.billing, written(event(account)), account.encode(), partition=partition
                )
            await producer.flush()


async def nothing_more() -> bool:
    return True


async def live(run: Run) -> bool:
    """Tell whether what happens from now on is live in all partitions."""
    journal = await client.read(run.bootstrap, run.names.book_journal)
    return len({record.partition for record in journal if record.key == COMMIT_KEY}) == PARTITIONS


@pytest.mark.parametrize("action", ["kill", "stop"])
async def test_struck_where_only_live_workers_are_nothing_is_lost_or_sent_twice(
    kafka: DevKafka, names: Names, tmp_path: Path, action: str
) -> None:
    rules = tuple(a_rule(f"payment_{outcome}") for outcome in OUTCOMES)
    load = Load((), Config(rules, {"acme": a_company()}), Span(clock.now(), clock.now()))
    async with Run(
        f"{action} at the points of live workers",
        kafka.bootstrap,
        names,
        tmp_path,
        load,
        static=False,
        command=COMMAND,
        WHIMBREL_SESSION_SECONDS="2",
        WHIMBREL_TICKS="timer",
        WHIMBREL_TICK_SECONDS="1",
        WHIMBREL_GUARD_MAX_PER_HOUR=str(SHARE),
    ) as run:
        provider = Provider(run)
        triggers = Strikes(run, "triggers", action, nothing_more)
        sender = Strikes(run, "sender", action, nothing_more, WHIMBREL_FRESHNESS_SECONDS="0")
        await asyncio.gather(triggers.begin(parts=0), sender.begin(parts=0))
        await eventually(lambda: live(run), 60)
        await provider.open_accounts()
        await triggers.at("tick-made")
        given_back = asyncio.create_task(sender.at("row-returned"))
        for point in TRIP:
            await triggers.at(point.name, provider.payments)
        await given_back
        assert await run.wind_up() == []
        assert {*triggers.struck, *sender.struck} == LIVE_ONLY | {point.name for point in TRIP}
        await verify(run)


async def verify(run: Run) -> None:
    """Each payment is decided once, each rule within its share, each mail came once."""
    found = await evidence.gather(run.bootstrap, run.names, run.workers.states)
    state = [each for part in found.state for each in verifier.state(part.place, part.journal, part.copies, part.index)]
    mails = verifier.mails(found.decisions, run.relay.accepted, found.deliveries, found.attempted)
    wrong = [*found.wrong, *state, *mails.lost, *mails.doubled, *mails.wrong]
    decided = Counter(each["subject"] for each in found.decisions)
    wrong += [f"{subject} was decided {times} times" for subject, times in decided.items() if times > 1]
    payments = len(OUTCOMES) * len(WHERE)
    wrong += [f"{len(decided)} payments were decided instead of {payments}"] if len(decided) != payments else []
    wrong += run.too_many(mails.unknown)
    guard = (await config_apply.current(run.bootstrap, run.names.config)).switches.guard
    wrong += shared(found.decisions, Counter((trip.id.rule, trip.id.partition) for trip in guard.open))
    result = run.result(
        wrong,
        facts=len(WHERE) + payments,
        decisions=payments,
        found=len(found.decisions),
        missing=payments - len(decided),
        extra=len(found.decisions) - len(decided),
        mails=mails.expected,
        accepted=mails.accepted,
        lost=len(mails.lost),
        doubled=len(mails.doubled),
        unknown=mails.unknown,
        repeats=found.repeats,
        differences=len(state),
    )
    run.conclude(result)


def shared(decisions: Sequence[dict[str, Any]], trips: Counter[tuple[str, int]]) -> list[str]:
    """Return where a rule did not send what its share in the partition allows and hold the rest.

    It may send less in a partition that hears of another's trip before it has one of its own.
    """
    said = Counter((each["rule"], WHERE[each["account_id"]], each["outcome"]) for each in decisions)
    wrong = []
    for rule in (f"payment_{outcome}" for outcome in OUTCOMES):
        if not any(tripped == rule for tripped, _ in trips):
            wrong.append(f"{rule} never tripped")
        for partition in range(PARTITIONS):
            sent, held = said[rule, partition, "sent"], said[rule, partition, "held"]
            times = trips[rule, partition]
            right = sent == ALLOWED if times else sent <= ALLOWED
            if not right or sent + held != ALLOWED + HELD or times > 1:
                wrong.append(f"{rule} in partition {partition}: {sent} sent, {held} held, tripped {times} times")
    return wrong
