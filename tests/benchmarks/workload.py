"""Workload W: CloudEvents of about 600 bytes about 60,000 invoices of 20,000 accounts, the same at every run.

What a system under test does with each: decode it, read the invoice's state by key, keep the newer version, write that
back with a changelog in Kafka, and for every tenth send a record of about 300 bytes to the outbox.
"""

import json
import random
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any

from msgspec import Struct

PARTITIONS = 4
ACCOUNTS = 20_000
INVOICES = 60_000
SEED = 7
EMIT_EVERY = 10
STALE = 0.05
"""Share of the events that tell an older version again."""


class Event(Struct, frozen=True):
    """One event of the workload, and which version of which invoice it tells."""

    key: bytes
    value: bytes
    invoice: str
    version: int


def events(count: int) -> Iterator[Event]:
    """Yield the first `count` events."""
    return islice(_events(), count)


@cache
def newest_versions(count: int) -> Mapping[str, int]:
    """Return the newest version of each invoice told by the first `count` events: what must be the state after them."""
    newest: dict[str, int] = {}
    for event in events(count):
        newest[event.invoice] = max(newest.get(event.invoice, 0), event.version)
    return newest


def changed(invoice: dict[str, Any], event_id: str, time: str) -> dict[str, Any]:
    """Return the record for the outbox about `invoice`, the data of the event or of the newer one in the state."""
    kept = ("invoice_id", "account_id", "status", "balance", "version", "due_on")
    return {
        "specversion": "1.0",
        "id": "out-" + event_id,
        "source": "/bench",
        "type": "bench.invoice.changed",
        "time": time,
        "datacontenttype": "application/json",
        "data": {name: invoice[name] for name in kept},
    }


def _events() -> Iterator[Event]:
    chance = random.Random(SEED)
    told = [0] * INVOICES
    number = 0
    while True:
        number += 1
        invoice = chance.randrange(INVOICES)
        told[invoice] += 1
        version = told[invoice]
        if chance.random() < STALE and version > 1:
            version -= 1
        data = _invoice(chance, invoice, version)
        event = {
            "specversion": "1.0",
            "id": f"evt-{number:012d}",
            "source": "/billing/invoices",
            "type": "billing.invoice.updated",
            "time": f"2026-11-22T16:{number // 60 % 60:02d}:{number % 60:02d}.123456Z",
            "subject": f"invoices/{data['invoice_id']}",
            "datacontenttype": "application/json",
            "data": data,
        }
        value = json.dumps(event, separators=(",", ":")).encode()
        yield Event(data["account_id"].encode(), value, data["invoice_id"], version)


def _invoice(chance: random.Random, invoice: int, version: int) -> dict[str, Any]:
    total = chance.randrange(100, 500_000)
    return {
        "invoice_id": f"inv-{invoice:08d}",
        "account_id": f"acc-{invoice % ACCOUNTS:08d}",
        "number": f"2026-{invoice:08d}",
        "currency": "EUR",
        "total": total,
        "balance": chance.randrange(0, total),
        "issued_on": "2026-10-01",
        "due_on": "2026-10-31",
        "grace_days": chance.randrange(0, 14),
        "status": chance.choice(["open", "paid", "overdue", "void"]),
        "version": version,
        "pdf_url": f"https://billing.example.com/invoices/inv-{invoice:08d}/document.pdf",
        "view_url": f"https://billing.example.com/portal/invoices/inv-{invoice:08d}",
    }
