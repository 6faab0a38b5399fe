"""Faust as its documentation teaches it: records, an agent, a table on RocksDB, `send` for each output."""

import asyncio
import os
import sys
from typing import Any

import faust

from tests.benchmarks.job import Meter, answer, read_job
from tests.benchmarks.workload import EMIT_EVERY, PARTITIONS

LOOK_SECONDS = 0.05
SETTLE_SECONDS = 1.0

job = read_job()
meter = Meter()
app = faust.App(
    job.name,
    broker="kafka://" + job.bootstrap,
    store="rocksdb://",
    datadir=job.state,
    topic_partitions=PARTITIONS,
    broker_commit_interval=1.0,
    consumer_auto_offset_reset="earliest",
)


class Invoice(faust.Record):  # type: ignore[misc]
    invoice_id: str
    account_id: str
    number: str
    currency: str
    total: int
    balance: int
    issued_on: str
    due_on: str
    grace_days: int
    status: str
    version: int
    pdf_url: str
    view_url: str


class InvoiceEvent(faust.Record):  # type: ignore[misc]
    specversion: str
    id: str
    source: str
    type: str
    time: str
    subject: str
    datacontenttype: str
    data: Invoice


class ChangedData(faust.Record):  # type: ignore[misc]
    invoice_id: str
    account_id: str
    status: str
    balance: int
    version: int
    due_on: str


class Changed(faust.Record):  # type: ignore[misc]
    specversion: str
    id: str
    source: str
    type: str
    time: str
    datacontenttype: str
    data: ChangedData


events_topic = app.topic(job.events, key_type=str, value_type=InvoiceEvent, key_serializer="raw")
outbox = app.topic(job.outbox, key_type=str, value_type=Changed)
invoices = app.Table("invoices", key_type=str, value_type=Invoice, partitions=PARTITIONS)


@app.agent(events_topic)  # type: ignore[untyped-decorator]
async def on_invoice(events: Any) -> None:
    async for event in events:
        meter.begin()
        meter.count += 1
        new = event.data
        known = invoices.get(new.invoice_id)
        if known is not None and known.version > new.version:
            new = known
        invoices[new.invoice_id] = new
        if meter.count % EMIT_EVERY == 0:
            await outbox.send(key=new.account_id, value=_changed(event, new))


def _changed(event: InvoiceEvent, new: Invoice) -> Changed:
    return Changed(
        specversion="1.0",
        id="out-" + event.id,
        source="/bench",
        type="bench.invoice.changed",
        time=event.time,
        datacontenttype="application/json",
        data=ChangedData(
            invoice_id=new.invoice_id,
            account_id=new.account_id,
            status=new.status,
            balance=new.balance,
            version=new.version,
            due_on=new.due_on,
        ),
    )


@app.task  # type: ignore[untyped-decorator]
async def watch() -> None:
    """Answer once all events are processed and their offsets committed: a look every 50 ms."""
    while meter.count < job.count or _committed() < job.count:  # noqa: ASYNC110 - Faust tells nobody
        await asyncio.sleep(LOOK_SECONDS)
    answer(meter.result(job.count, invoices.changelog_topic.get_topic_name()))
    # Faust commits before its changelog is sent: what still waits must be there to be verified.
    while app.producer.buffer.size:  # noqa: ASYNC110 - Faust tells nobody
        await asyncio.sleep(LOOK_SECONDS)
    await app.producer.flush()
    await asyncio.sleep(SETTLE_SECONDS)
    os._exit(0)


def _committed() -> int:
    committed = app.consumer._committed_offset
    return sum(offset or 0 for partition, offset in list(committed.items()) if partition.topic == job.events)


if __name__ == "__main__":
    sys.argv = ["faust", "worker", "--loglevel", "warn", "--without-web"]
    app.main()
