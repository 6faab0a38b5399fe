"""What could not be handed over in time is checked before it is: real workers, live, before a relay that refuses."""

import asyncio
from pathlib import Path

import orjson
import pytest

from app import clock
from app.config.check import Config
from app.delivery.message import local_part
from app.dev.kafka import DevKafka
from app.dev.mailbox import Mailbox
from app.streams import client
from app.streams.names import Names
from tests.builders import Event, a_company, a_rule, account_event, invoice_event, paid, written
from tests.kafka.system import PARTITIONS, System, came, ending
from tests.kafka.waiting import eventually, wait_until

pytestmark = pytest.mark.kafka

SECONDS = {"WHIMBREL_TICKS": "timer", "WHIMBREL_TICK_SECONDS": "0.5"}
IMPATIENT = {"WHIMBREL_TICKS": "timer", "WHIMBREL_FRESHNESS_SECONDS": "3", "WHIMBREL_RETRY_SECONDS": "1"}
RULE = a_rule("account_becomes_delinquent", send_at="00:00")
PAYS, OWES = "pays", "owes"


async def test_paid_while_the_relay_refuses_it_is_withdrawn_and_what_still_holds_is_delivered_once(
    kafka: DevKafka, names: Names, tmp_path: Path
) -> None:
    async with Mailbox(behaviour=lambda step, _: "451 4.3.0 later" if step == "mail" else None) as mailbox:
        system = System(kafka.bootstrap, names, tmp_path, mailbox.port)
        with ending(system):
            await system.prepare(Config((RULE,), {"acme": a_company()}))
            system.start("triggers", **SECONDS)
            system.start("sender", "sender", **IMPATIENT)
            log = tmp_path / "triggers.log"
            await asyncio.to_thread(wait_until, lambda: log.read_text().count("lane runs") == PARTITIONS)
            for account in (PAYS, OWES):
                await told(system, account_event(clock.now(), account=account))
                await told(system, long_past_due(account))
            await eventually(lambda: have_gone_back(system, {PAYS, OWES}), 60)

            system.kill("sender")
            await told(system, paid(clock.now(), account=PAYS))
            system.start("sender", "sender", **IMPATIENT)
            await eventually(lambda: outcome_of(system, PAYS, "withdrawn"), 60)
            mailbox.behaviour = None
            await eventually(lambda: outcome_of(system, OWES, "accepted"), 60)

            sent = {each["account_id"]: each for each in await system.decided() if each["outcome"] == "sent"}
            assert sent.keys() == {PAYS, OWES}, "what is withdrawn stays decided"
            (key,) = sent[OWES]["dedup_keys"]
            assert dict(came(mailbox)) == {local_part(key): 1}
            outcomes = await system.delivered()
            assert (outcomes["accepted"], outcomes["withdrawn"]) == (1, 1), system.logs()
    assert "delivery=smtp" in (tmp_path / "sender.log").read_text(), "the start line tells the mode"


async def told(system: System, event: Event) -> None:
    await client.append(system.bootstrap, system.names.billing, event["subject"].encode(), written(event))


def long_past_due(account: str) -> Event:
    return invoice_event(clock.now(), account=account, due_on="2026-01-10", issued_on="2026-01-01")


async def have_gone_back(system: System, accounts: set[str]) -> bool:
    returned = await client.read(system.bootstrap, system.names.returns)
    return {(record.key or b"").decode() for record in returned} >= accounts


async def outcome_of(system: System, account: str, outcome: str) -> bool:
    deliveries = [orjson.loads(r.value or b"{}") for r in await client.read(system.bootstrap, system.names.deliveries)]
    return any((each["account_id"], each["outcome"]) == (account, outcome) for each in deliveries)
