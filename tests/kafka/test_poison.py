"""A mistake in a trigger on a real broker: what raises is set aside, then replayed; too much of it ends the worker."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from app import clock
from app.config.check import Config
from app.contract.instants import Instant, datetime_of
from app.dev.kafka import DevKafka
from app.domain.calendar import days_after
from app.domain.rules import Rule
from app.engine.records import ID_HEADER, REPLAY_HEADER
from app.streams import client
from app.streams.names import Names
from tests.builders import Event, a_company, a_payment, a_rule, account_event, an_event
from tests.kafka.letters import environment, has_letters, listed, whimbrel
from tests.kafka.live import decided_at_least, has_begun, publish
from tests.kafka.system import System, ending
from tests.kafka.waiting import eventually
from tests.poison import SECRET

pytestmark = pytest.mark.kafka

BAD = "a3"
ACCOUNTS = ("a1", "a2", BAD, "a4")
MISTAKEN = ("tests.kafka.poisoned_worker", "payment_failed", "message", BAD)
FAILED, EXPIRING = a_rule("payment_failed"), a_rule("credit_card_expiring", x=2)
LIVE = {"WHIMBREL_TICKS": "timer", "WHIMBREL_TICK_SECONDS": "1"}


async def begun(system: System, rule: Rule = FAILED, command: Sequence[str] = MISTAKEN, **settings: str) -> None:
    """Start a worker with a mistake in it."""
    company = a_company("acme")
    await system.prepare(Config((rule,), {company.id: company}))
    system.start("one", command=command, **LIVE, **settings)
    await eventually(lambda: has_begun(system), 60)


async def tell(system: System, *events: Event) -> list[int]:
    return await publish(system, [(event["subject"], orjson.dumps(event)) for event in events])


async def test_what_raises_is_set_aside_its_neighbours_are_decided_and_mended_it_is_replayed(
    kafka: DevKafka, names: Names, tmp_path: Path
) -> None:
    system = System(kafka.bootstrap, names, tmp_path, smtp_port=1)
    with ending(system):
        await begun(system)
        now = clock.now()
        payments = [a_payment(now, account=account, payment_id=f"p-{account}") for account in ACCOUNTS]
        offsets = await tell(system, *(account_event(now, account=account) for account in ACCOUNTS), *payments)
        await eventually(lambda: decided_at_least(system, len(ACCOUNTS) - 1), 60)
        name = f"{names.billing}/0/{offsets[len(ACCOUNTS) + 2]}"
        (letter,) = await listed(system)
        assert (letter["letter"], letter["account"]) == (name, BAD)
        assert letter["reason"].startswith("handler: MistakeError at app.engine.judge:")
        log = (tmp_path / "one.log").read_text()
        assert f"{names.billing}[0]@{letter['offset']}: handler: MistakeError" in log
        assert SECRET not in log

        shown = (await whimbrel(system, "show", name, "--payload")).stdout
        assert f'"payment_id":"p-{BAD}"' in shown
        assert f"p-{BAD}" not in (await whimbrel(system, "show", name)).stdout

        system.kill("one")
        system.start("one", **LIVE)
        done = [await whimbrel(system, "replay", *which) for which in (["--reason", "MistakeError"], [name])]
        assert [each.exit_code for each in done] == [0, 0], done
        await eventually(lambda: decided_at_least(system, len(ACCOUNTS)), 60)
        await tell(system, a_payment(clock.now(), account="a1", payment_id="after"))
        await eventually(lambda: decided_at_least(system, len(ACCOUNTS) + 1), 60)
    subjects = sorted(decision["subject"] for decision in await system.decided())
    assert subjects == sorted([*(f"payment:p-{account}:1" for account in ACCOUNTS), "payment:after:1"])
    assert await listed(system) == []
    (closed,) = await listed(system, "--all")
    assert closed["state"] == "replayed"


def a_card(account: str, now: Instant) -> Event:
    """One that is stored for autopay, and expires in less than two months: the next tick says so."""
    expires = f"{days_after(datetime_of(now).date(), 20):%Y-%m}"
    card: dict[str, Any] = {
        "card_id": f"c-{account}",
        "brand": "visa",
        "last4": "4242",
        "expires": expires,
        "autopay": True,
    }
    return an_event("billing.card.updated", now, account=account, **card)


async def test_an_account_over_which_a_tick_raises_stands_aside_until_a_mended_worker_takes_over(
    kafka: DevKafka, names: Names, tmp_path: Path
) -> None:
    system = System(kafka.bootstrap, names, tmp_path, smtp_port=1)
    with ending(system):
        await begun(system, EXPIRING, ("tests.kafka.poisoned_worker", "credit_card_expiring", "message", BAD))
        now = clock.now()
        await tell(system, *(account_event(now, account=account) for account in ACCOUNTS))
        await tell(system, *(a_card(account, now) for account in ACCOUNTS))
        await eventually(lambda: decided_at_least(system, len(ACCOUNTS) - 1), 60)
        await eventually(lambda: has_letters(system, 1), 60)
        (letter,) = await listed(system)
        assert (letter["topic"], letter["account"]) == (names.ticks, BAD)
        assert letter["reason"].startswith("handler: MistakeError at app.engine.judge:")
        log = (tmp_path / "one.log").read_text()
        assert f"account {BAD} is parked" in log
        assert SECRET not in log
        assert BAD not in {decision["account_id"] for decision in await system.decided()}

        system.kill("one")
        system.start("one", **LIVE)
        await eventually(lambda: decided_at_least(system, len(ACCOUNTS)), 60)
        await eventually(lambda: all_are_closed(system), 60)
    subjects = [decision["subject"].split(":")[1] for decision in await system.decided()]
    assert sorted(subjects) == [f"c-{account}" for account in ACCOUNTS]


async def test_one_too_many_ends_the_worker_and_the_next_one_too_until_more_is_allowed(
    kafka: DevKafka, names: Names, tmp_path: Path
) -> None:
    system = System(kafka.bootstrap, names, tmp_path, smtp_port=1)
    with ending(system):
        await begun(system, WHIMBREL_DEAD_LETTERS_PER_HOUR="2")
        now = clock.now()
        payments = [a_payment(now, account=BAD, payment_id=f"p{number}") for number in range(5)]
        await tell(system, account_event(now, account=BAD), account_event(now, account="a1"), *payments)
        await tell(system, a_payment(now, account="a1"))
        assert await asyncio.to_thread(system.workers["one"].process.wait, 60) == 1
        said = f"ends: partition 0: 2 dead letters within an hour, and {names.billing}@4 would be one more"
        log = tmp_path / "one.log"
        assert log.read_text().count(said) == 1
        system.start("one", command=MISTAKEN, **LIVE, WHIMBREL_DEAD_LETTERS_PER_HOUR="2")
        assert await asyncio.to_thread(system.workers["one"].process.wait, 60) == 1
        assert log.read_text().count(said) == 2
        assert [letter["offset"] for letter in await listed(system)] == [2, 3]
        system.start("one", command=MISTAKEN, **LIVE, WHIMBREL_DEAD_LETTERS_PER_HOUR="20")
        await eventually(lambda: decided_at_least(system, 1), 60)
    assert [letter["offset"] for letter in await listed(system)] == [2, 3, 4, 5, 6]
    dropped = await whimbrel(system, "drop", "--account", BAD, "--by", "ann", "--why", "a test")
    assert dropped.stdout.count("dropped: ") == 5, dropped
    assert await listed(system) == []
    assert {letter["note"] for letter in await listed(system, "--all")} == {"a test"}


async def test_a_broken_notification_is_replayed_into_the_outbox_and_is_taken_for_no_repeat(
    kafka: DevKafka, names: Names, tmp_path: Path
) -> None:
    system = System(kafka.bootstrap, names, tmp_path, smtp_port=1)
    with ending(system):
        await system.prepare(Config((), {}))
        async with client.opened_producer(kafka.bootstrap) as producer:
            await producer.send_and_wait(names.outbox, b"{", b"a1", partition=0, headers=[(ID_HEADER, b"i/0/7/0")])
        system.start("sender", "sender")
        await eventually(lambda: has_letters(system, 1), 60)
        done = await whimbrel(system, "replay", "--all", "--by", "ann")
        assert done.stdout.startswith("replayed: "), done
        await eventually(lambda: has_letters(system, 2), 60)
    first, second = await listed(system, "--all")
    assert (first["letter"], first["state"], first["by"]) == (f"{names.outbox}/0/0", "replayed", "ann")
    assert (second["letter"], second["state"]) == (f"{names.outbox}/0/1", "open")
    (_, copy) = await client.read(kafka.bootstrap, names.outbox)
    assert copy.headers == ((REPLAY_HEADER, f"{names.outbox}/0/0".encode()),)
    assert copy.key == b"a1"

    async with client.opened_admin(kafka.bootstrap) as admin:
        await admin.delete_records({TopicPartition(names.outbox, 0): RecordsToDelete(before_offset=2)})
    gone = await whimbrel(system, "replay", second["letter"])
    assert (gone.exit_code, gone.stdout) == (1, "")
    removed = f"retention has removed {names.outbox}/0/1; retention has removed {names.outbox}/0/0"
    assert gone.stderr.startswith(f"error: {removed}: ")
    assert f"payload    none: {removed}\n" in (await whimbrel(system, "show", second["letter"], "--payload")).stdout


async def all_are_closed(system: System) -> bool:
    return not await listed(system)


def test_a_letter_that_is_none_is_said_in_a_line(kafka: DevKafka, names: Names, tmp_path: Path) -> None:
    system = System(kafka.bootstrap, names, tmp_path, smtp_port=1)
    asyncio.run(system.prepare(Config((), {})))
    command = [sys.executable, "-m", "app", "dead-letters", "show", "x/0/1"]
    variables = {**os.environ, **environment(system)}
    unknown = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr == "error: no dead letter x/0/1; see: whimbrel dead-letters list --all\n"


async def test_where_there_is_nothing_to_do_it_says_so(kafka: DevKafka, names: Names, tmp_path: Path) -> None:
    system = System(kafka.bootstrap, names, tmp_path, smtp_port=1)
    await system.prepare(Config((), {}))
    assert (await whimbrel(system, "list")).stdout == "no dead letters\n"
    assert (await whimbrel(system, "replay", "--all")).stdout == "no open dead letter is so\n"
    assert (await whimbrel(system, "replay")).exit_code == 2
