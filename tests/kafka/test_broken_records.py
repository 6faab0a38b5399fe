"""Records that break the contract are parked with their coordinates, their neighbours are read: on a real broker."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from app import clock
from app.config.check import Config
from app.dev.kafka import DevKafka
from app.streams import client
from app.streams.names import Names
from tests.builders import a_company, a_rule, account_event, an_event, invoice_event
from tests.kafka.live import decided_at_least, has_begun, publish
from tests.kafka.system import System, ending
from tests.kafka.waiting import eventually

pytestmark = pytest.mark.kafka

ACCOUNT = "a1"
TWO_MEGABYTES = 2 * 1024 * 1024


def payment(number: int, **changes: Any) -> dict[str, Any]:
    """A failed autopay attempt of just now: a neighbour that must come through."""
    data: dict[str, Any] = {
        "payment_id": f"p{number}",
        "attempt": 1,
        "amount": 5000,
        "currency": "USD",
        "method": {"kind": "card"},
        "autopay": True,
        "reason": "declined",
    }
    return an_event("billing.payment.failed", clock.now(), account=ACCOUNT, id_=f"e{number}", **(data | changes))


def without(event: dict[str, Any], field: str) -> dict[str, Any]:
    """The event without a field of its data."""
    return event | {"data": {name: value for name, value in event["data"].items() if name != field}}


def huge_invoice() -> dict[str, Any]:
    """An invoice of two megabytes: its message, the initial invoice's, is larger than any topic of ours takes."""
    event = invoice_event(clock.now(), kind="issued", account=ACCOUNT, invoice_id="huge", id_="huge")
    event["data"]["view_url"] = "https://x.example/" + "x" * TWO_MEGABYTES
    return event


def records() -> list[tuple[str | None, bytes | None, str | None]]:
    """(key, value, the field that its dead letter names; None: no dead letter)."""
    account = account_event(clock.now(), account=ACCOUNT, id_="account")
    return [
        (ACCOUNT, orjson.dumps(account), None),
        (ACCOUNT, orjson.dumps(payment(1)), None),
        (ACCOUNT, b"no JSON at all", ""),
        (ACCOUNT, orjson.dumps(without(payment(2), "attempt")), "data.attempt"),
        (ACCOUNT, orjson.dumps(payment(3, amount="a lot")), "data.amount"),
        ("another", orjson.dumps(payment(4)), "key"),
        (ACCOUNT, None, ""),
        (ACCOUNT, orjson.dumps(huge_invoice()), ""),
        (ACCOUNT, orjson.dumps(payment(5) | {"type": "billing.something.new"}), None),
        (ACCOUNT, orjson.dumps(payment(6) | {"time": "2099-01-01T00:00:00Z"}), "time"),
        (
            ACCOUNT,
            orjson.dumps(account | {"id": "b", "data": account["data"] | {"company_id": "who"}}),
            "data.company_id",
        ),
        (ACCOUNT, orjson.dumps(payment(7)), None),
    ]


async def test_each_broken_record_is_parked_and_its_neighbours_are_decided(
    kafka: DevKafka, names: Names, tmp_path: Path
) -> None:
    config = Config((a_rule("payment_failed"), a_rule("initial_invoice")), companies())
    system = System(kafka.bootstrap, names, tmp_path, smtp_port=1)
    with ending(system):
        await system.prepare(config)
        system.start("one", WHIMBREL_TICKS="timer", WHIMBREL_TICK_SECONDS="1")
        await eventually(lambda: has_begun(system), 60)
        sent = records()
        offsets = await publish(system, [(key, value) for key, value, _ in sent])
        await eventually(lambda: decided_at_least(system, 2), 60)
        letters = {
            orjson.loads(r.value or b"")["offset"]: r for r in await client.read(kafka.bootstrap, names.dead_letters)
        }
    subjects = {decision["subject"] for decision in await system.decided()}
    assert subjects == {"payment:p1:1", "payment:p7:1"}, system.logs()
    expected = {offset: field for offset, (_, _, field) in zip(offsets, sent, strict=True) if field is not None}
    assert {offset: json.loads(letter.value or b"")["field"] for offset, letter in letters.items()} == expected
    for offset, letter in letters.items():
        said = json.loads(letter.value or b"")
        assert (said["topic"], said["offset"]) == (names.billing, offset)
        assert said["reason"]
        assert len(letter.value or b"") < 500, "a dead letter never holds the payload"
        assert letter.partition == said["partition"]


def companies() -> dict[str, Any]:
    company = a_company("acme")
    return {company.id: company}
