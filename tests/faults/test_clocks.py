"""Time as it must not be: the year 2099, a worker's clock that is wrong, and topics full of what was long ago."""

import dataclasses
import random
from pathlib import Path
from typing import Any

import orjson
import pytest

from app import clock
from app.contract.instants import DAY, SECOND, Instant, datetime_of
from app.dev.kafka import DevKafka
from app.domain.calendar import days_after
from app.streams import client
from app.streams.names import Names
from tests.builders import a_payment, account_event, at, invoice_event, paid, written
from tests.faults import live
from tests.faults.altered import alter
from tests.faults.load import Load
from tests.faults.reasons import CLOCK
from tests.faults.run import PARTITIONS, Run, seed
from tests.faults.switching import CLOCK_OFF
from tests.faults.test_live import BY_THE_CLOCK
from tests.kafka.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.long]

LEAD = 25 * SECOND
"""The least from now to the moment: to start in, and to publish before it."""
YEAR_2099 = at("2099-01-01 00:00")
ANY_TIMESTAMP = {"message.timestamp.after.max.ms": str((1 << 63) - 1)}
FOR_EVER = {"retention.ms": "-1"}
MONTHS = 24
OLD_ACCOUNTS = 60


async def all_are_live(run: Run) -> None:
    """Wait until every partition has an owner that has begun."""

    async def there() -> bool:
        return len(run.watch.positions(run.names.book_journal)) == PARTITIONS

    await eventually(there, 60)


async def test_the_year_2099(kafka: DevKafka, names: Names, tmp_path: Path) -> None:
    """Events of it are dead letters; records of it are read when they come, and keep nothing else waiting."""
    chance = random.Random(f"2099 {seed()}")
    load = live.live(live.moment_after(clock.now() + LEAD))
    async with Run("year 2099", kafka.bootstrap, names, tmp_path, load, **BY_THE_CLOCK) as run:
        await alter(kafka.bootstrap, names, names.facts, ANY_TIMESTAMP)
        run.begin(triggers=2, senders=1)
        await all_are_live(run)
        spoken = live.speak(load, live.second_after(clock.now()), seed(), accounts=100)
        ahead = [written(account_event(YEAR_2099, account=f"a{number:03}", contacts=[])) for number in range(0, 100, 4)]
        run.load = dataclasses.replace(spoken, beside=len(ahead))
        run.nemesis.note("events and timestamps of 2099", names.billing)
        speaking = run.beside(
            live.publish(kafka.bootstrap, names, spoken, lambda time: YEAR_2099 if chance.random() < 0.5 else time)
        )
        await run.becomes(0.2)
        async with client.opened_producer(kafka.bootstrap) as producer:
            for value in ahead:
                key = orjson.loads(value)["subject"].encode()
                await producer.send(names.billing, value, key, timestamp_ms=YEAR_2099 // 1_000)
            await producer.flush()
        await speaking
        await run.finish()
        letters = [orjson.loads(each.value or b"") for each in await client.read(kafka.bootstrap, names.dead_letters)]
        assert {letter["field"] for letter in letters} == {"time"}


async def test_a_clock_that_is_an_hour_fast(kafka: DevKafka, names: Names, tmp_path: Path) -> None:
    """Its worker decides nothing and says why; whoever takes its partitions over decides what it has left."""
    load = live.live(live.moment_after(clock.now() + LEAD))
    async with Run(
        "clock an hour fast",
        kafka.bootstrap,
        names,
        tmp_path,
        load,
        command=("tests.faults.worker",),
        **BY_THE_CLOCK,
    ) as run:
        run.begin(triggers=1, senders=1)
        await all_are_live(run)
        run.workers.start("fast", "triggers", None, (), **{CLOCK_OFF: "3600"})
        run.nemesis.note("clock an hour fast", "fast")

        async def has_partitions_and_says_why_it_does_nothing() -> bool:
            return bool(run.workers.lanes("fast")) and "clock" in run.workers.readiness("fast")

        await eventually(has_partitions_and_says_why_it_does_nothing, 60)
        run.load = live.speak(load, live.second_after(clock.now()), seed(), accounts=100)
        speaking = run.beside(live.publish(kafka.bootstrap, names, run.load))
        await run.becomes(0.1)
        owned = run.workers.lanes("fast")
        decided = {int(output.split(b"/")[1]) for output in run.watch.decided}
        assert decided, "the other one decides"
        assert not decided & owned
        assert "clock" in run.workers.readiness("fast")
        await run.workers.leave("fast")
        await speaking
        await run.finish()


async def test_a_sender_whose_clock_is_an_hour_slow(kafka: DevKafka, names: Names, tmp_path: Path) -> None:
    """It would take old news for fresh: it hands nothing over, ends and says why, until its clock is set."""
    load = live.live(live.moment_after(clock.now() + LEAD))
    async with Run(
        "sender's clock an hour slow",
        kafka.bootstrap,
        names,
        tmp_path,
        load,
        command=("tests.faults.worker",),
        ends=CLOCK,
        **BY_THE_CLOCK,
    ) as run:
        run.begin(triggers=1, senders=0)
        run.workers.start("slow", "sender", None, (), **{CLOCK_OFF: "-3600"})
        run.nemesis.note("clock an hour slow", "slow")
        await all_are_live(run)
        run.load = live.speak(load, live.second_after(clock.now()), seed(), accounts=100)
        speaking = run.beside(live.publish(kafka.bootstrap, names, run.load))
        await run.becomes(0.1)

        async def ends_again_and_again() -> bool:
            return sum(each.name == "slow" for each in run.workers.ended) > 1

        with run.without():
            await eventually(ends_again_and_again, 60)
            assert not run.relay.accepted
            run.workers.rest("slow")
            run.workers.start("right", "sender")
        await speaking
        await run.finish()


async def test_a_first_start_on_two_years_of_history(kafka: DevKafka, names: Names, tmp_path: Path) -> None:
    """All of it is read, and none of it is news; what happens from then on is."""
    load = live.live(live.moment_after(clock.now() + LEAD + 15 * SECOND))
    old = history(load.span.begin)
    async with Run("first start, two years of history", kafka.bootstrap, names, tmp_path, load, **BY_THE_CLOCK) as run:
        await alter(kafka.bootstrap, names, names.facts, FOR_EVER)
        run.nemesis.note("two years of history", f"{len(old)} events")
        await live.publish(kafka.bootstrap, names, dataclasses.replace(load, lines=old, span=live.PAST))
        run.begin(triggers=2, senders=1)
        await all_are_live(run)
        assert not await run.settle()
        assert not run.watch.decided
        assert not run.relay.accepted
        run.load = news(load, old)
        await live.publish(kafka.bootstrap, names, dataclasses.replace(run.load, lines=run.load.lines[len(old) :]))
        await run.finish()


def news(load: Load, old: list[bytes]) -> Load:
    """Return the load with history, and what happens from now on, to new accounts and to old ones."""
    begin = live.second_after(clock.now())
    spoken = live.speak(load, begin, seed(), accounts=60)
    fails = [
        written(a_payment(begin, account=f"h{number:03}", id_=f"h{number:03}-now", payment_id="now")) + b"\n"
        for number in range(OLD_ACCOUNTS)
    ]
    return dataclasses.replace(spoken, lines=[*old, *fails, *spoken.lines])


def history(moment: Instant) -> list[bytes]:
    """Return what was said of the old accounts, month by month: billed, charged in vain, and paid but for the last.

    The last invoice was due yesterday, as seen from `moment`.
    """
    today = datetime_of(moment).date()
    said: list[tuple[Instant, bytes]] = []
    for number in range(OLD_ACCOUNTS):
        account = f"h{number:03}"
        contact = {"contact_id": "fin", "name": "Fin", "email": f"fin@{account}.example", "categories": ["financial"]}
        begun = moment - (MONTHS * 30 + 21) * DAY
        said.append((begun, written(account_event(begun, account=account, id_=f"{account}-known", contacts=[contact]))))
        for month in range(MONTHS, -1, -1):
            billed, id_ = moment - (month * 30 + 20) * DAY, f"{account}-{month}"
            issued_on, due_on = (str(days_after(today, -month * 30 - days)) for days in (20, 1))
            invoice: dict[str, Any] = {"account": account, "invoice_id": f"i-{id_}", "grace_days": 5}
            invoice |= {"issued_on": issued_on, "due_on": due_on}
            said.append((billed, written(invoice_event(billed, id_=f"{id_}-billed", **invoice))))
            failed = a_payment(billed + DAY, account=account, id_=f"{id_}-failed", payment_id=id_)
            said.append((billed + DAY, written(failed)))
            if month:
                said.append((billed + 25 * DAY, written(paid(billed + 25 * DAY, id_=f"{id_}-paid", **invoice))))
    return [line + b"\n" for _, line in sorted(said)]
