"""The engine itself, in a real worker: lanes, journal, fence, RocksDB, outputs; only the handler is trivial."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from app.engine.handler import View
from app.engine.records import Cursor, Record, Tick
from app.engine.txn import Txn
from app.settings import Settings
from app.streams.opening import Wiring
from tests.benchmarks.job import read_job
from tests.benchmarks.peers.metered import run_measured
from tests.benchmarks.workload import EMIT_EVERY


class Invoice(Struct, gc=False):
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


class InvoiceEvent(Struct, gc=False):
    specversion: str
    id: str
    source: str
    type: str
    time: str
    subject: str
    datacontenttype: str
    data: Invoice


class ChangedData(Struct, gc=False):
    invoice_id: str
    account_id: str
    status: str
    balance: int
    version: int
    due_on: str


class Changed(Struct, gc=False):
    specversion: str
    id: str
    source: str
    type: str
    time: str
    datacontenttype: str
    data: ChangedData


_event = msgspec.json.Decoder(InvoiceEvent).decode
_invoice = msgspec.msgpack.Decoder(Invoice).decode
_pack = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode


class Newest:
    """Keeps the newest version of each invoice."""

    def __init__(self, outbox: str) -> None:
        self._outbox = outbox

    def index(self, key: bytes, value: bytes) -> Iterable[bytes]:
        return ()

    def records(self, batch: Sequence[Record], txn: Txn, view: View) -> None:
        for record in batch:
            event = _event(record.value or b"")
            invoice = event.data
            key = invoice.invoice_id.encode()
            known = txn.get(key)
            if known is not None:
                older = _invoice(known)
                if older.version > invoice.version:
                    invoice = older
            txn.put(key, _pack(invoice))
            if record.offset % EMIT_EVERY == 0:
                txn.send(self._outbox, record.key, _json(_changed(event, invoice)))

    def tick(self, tick: Tick, cursor: Cursor | None, txn: Txn, view: View, limit: int) -> Cursor:
        return Cursor(tick.instant, tick.now)

    def refuse(self, record: Record, reason: str, txn: Txn, view: View) -> None:
        raise RuntimeError(f"an event that cannot be counted: {record.topic}@{record.offset}: {reason}")

    def pass_over(self, tick: Tick, cursor: Cursor | None, reason: str, txn: Txn, view: View) -> Cursor:
        raise RuntimeError(reason)


def _changed(event: InvoiceEvent, invoice: Invoice) -> Changed:
    return Changed(
        specversion="1.0",
        id="out-" + event.id,
        source="/bench",
        type="bench.invoice.changed",
        time=event.time,
        datacontenttype="application/json",
        data=ChangedData(
            invoice_id=invoice.invoice_id,
            account_id=invoice.account_id,
            status=invoice.status,
            balance=invoice.balance,
            version=invoice.version,
            due_on=invoice.due_on,
        ),
    )


def main() -> None:
    job = read_job()
    wiring = Wiring(
        app=job.name,
        handler=lambda _: Newest(job.outbox),
        inputs=(job.events,),
        journal=job.journal,
    )
    run_measured(wiring, Settings(kafka=job.bootstrap, state=Path(job.state), metrics_port=-1), job)


if __name__ == "__main__":
    main()
