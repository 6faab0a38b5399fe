"""Rows and due index of four partitions brought back from their journals."""

import asyncio
import random
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from statistics import median

from aiokafka import TopicPartition

from app import clock
from app.domain import keys
from app.domain.book import pack
from app.domain.invoice import Invoice
from app.engine.filing import index_keys
from app.streams.client import opened_consumer
from app.streams.restore import restore
from app.streams.store import RocksStore
from tests.benchmarks.log import fill, make_topics
from tests.benchmarks.machine import BenchmarkError, broker, cores, on_core, scratch
from tests.benchmarks.report import Goal, Section, spread, table
from tests.benchmarks.workload import PARTITIONS, Event

JOURNAL = "restored-journal"
SEED = 7
OPEN = 0.8
"""Share of the records in which the invoice is open, so that it has two entries in the index."""
TARGET = 100_000.0


def bench(*, quick: bool) -> Section:
    """Restore a journal that has five records for each of its keys, into empty databases."""
    records, rounds = (30_000, 1) if quick else (300_000, 5)
    row_count = records // 5
    rates, cpu_us = [], []
    with scratch() as directory, broker(directory) as bootstrap:
        asyncio.run(make_topics(bootstrap, {JOURNAL: "compact"}))
        asyncio.run(fill(bootstrap, JOURNAL, rows(records, row_count)))
        with on_core(cores()[1]):
            for number in range(rounds):
                begun = time.process_time()
                seconds = asyncio.run(restored(bootstrap, directory / f"state-{number}", row_count))
                cpu_us.append((time.process_time() - begun) / records * 1e6)
                rates.append(records / seconds)
    row = [f"{records:,}", f"{row_count:,}", spread(rates), f"{median(cpu_us):.1f}"]
    text = table(["journal records", "keys", "records/s", "CPU µs a record"], [row])
    return Section("restore", text, [Goal("records/s restored, with the index", median(rates), TARGET)])


def rows(count: int, row_count: int) -> Iterator[Event]:
    """Yield invoices' rows as the triggers app's journal has them: each key once, then any of them again."""
    dice = random.Random(SEED)
    for number in range(count):
        invoice = number if number < row_count else dice.randrange(row_count)
        key, value = _row(invoice, dice)
        yield Event(key, value, f"inv-{invoice:08d}", number)


def _row(number: int, dice: random.Random) -> tuple[bytes, bytes]:
    due_on = date(2026, 6, 1) + timedelta(days=number % 60)
    is_open = dice.random() < OPEN
    invoice = Invoice(
        invoice_id=f"inv-{number:08d}",
        number=f"2026-{number:08d}",
        currency="EUR",
        total=4_900,
        balance=dice.randrange(1, 4_900) if is_open else 0,
        issued_on=due_on - timedelta(days=14),
        due_on=due_on,
        grace_days=dice.randrange(14),
        status="open" if is_open else "paid",
        version=dice.randrange(100),
        pdf_url=f"https://billing.example.com/invoices/inv-{number:08d}/document.pdf",
        view_url=f"https://billing.example.com/portal/invoices/inv-{number:08d}",
        ready_on=due_on + timedelta(days=14) if is_open else None,
        zone_key=keys.company_zone("north"),
    )
    return keys.item_row(f"acc-{number // 3:08d}", "invoice", invoice.invoice_id), pack(invoice)


async def restored(bootstrap: str, state: Path, row_count: int) -> float:
    """Return the seconds that all partitions together take."""
    partitions = [TopicPartition(JOURNAL, partition) for partition in range(PARTITIONS)]
    async with opened_consumer(bootstrap) as consumer:
        ends = await consumer.end_offsets(partitions)
    stores = [RocksStore(state / str(partition), index_keys, clock.now) for partition in range(PARTITIONS)]
    try:
        begun = time.perf_counter()
        await asyncio.gather(
            *(
                restore(bootstrap, JOURNAL, partition, store, ends[partitions[partition]] - 1, clock.now())
                for partition, store in enumerate(stores)
            )
        )
        seconds = time.perf_counter() - begun
        found = sum(len(store.scan(b"")) for store in stores)
    finally:
        for store in stores:
            store.close()
    if found != row_count:
        raise BenchmarkError(f"{found} rows restored, the journal has {row_count}")
    return seconds
