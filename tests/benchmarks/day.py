"""One day's due invoices among many, found through the due index in RocksDB."""

import time
from collections.abc import Iterator
from datetime import date, timedelta
from statistics import median

from app import clock
from app.contract.instants import SECOND
from app.domain import keys
from app.domain.book import pack
from app.domain.calendar import first_instant
from app.domain.companies import Company
from app.domain.invoice import Invoice
from app.domain.rules import Rule, Rulebook
from app.engine.coming import Stretch
from app.engine.due import accounts_due
from app.engine.filing import index_keys
from app.engine.txn import Txn
from app.streams.store import RocksStore
from tests.benchmarks.machine import BenchmarkError, cores, on_core, scratch
from tests.benchmarks.report import Goal, Section, table

FIRST_DUE = date(2026, 6, 1)
DAYS = 40
X = 7
CHUNK = 20_000
SCANS = 21
TARGET_MS = 10.0
COMPANY = Company(
    id="north", name="North", from_name="North", from_address="bills@north.example", time_zone="Europe/Berlin"
)
COMPACTING = ("rocksdb.num-running-compactions", "rocksdb.compaction-pending", "rocksdb.num-running-flushes")
RULES = (Rule(id="past-due-7", trigger="invoice_past_due_for_days", x=X, send_at="09:00"),)


def bench(*, quick: bool) -> Section:
    """Fill a store with open invoices due on 40 days, one an account, and look for those 7 days past due on one."""
    count = 20_000 if quick else 200_000
    with scratch() as directory, on_core(cores()[1]):
        store = RocksStore(directory / "0", index_keys, clock.now)
        try:
            _fill(store, count)
            _settle(store)
            times = [_look(store, count // DAYS) for _ in range(SCANS)]
        finally:
            store.close()
    milliseconds = [seconds * 1_000 for seconds in times]
    head = ["open invoices", "due that day", f"ms, median of {SCANS} [range]"]
    found = [f"{median(milliseconds):.1f} [{min(milliseconds):.1f} to {max(milliseconds):.1f}]"]
    text = table(head, [[f"{count:,}", f"{count // DAYS:,}", *found]])
    return Section("day", text, [Goal("ms for one day's due", median(milliseconds), TARGET_MS, at_most=True)])


def _settle(store: RocksStore) -> None:
    """Wait until RocksDB has tidied up: a worker's morning does not follow 200,000 writes on the same core."""
    while any(store._db.property_int_value(name) for name in COMPACTING):
        time.sleep(0.1)


def _fill(store: RocksStore, count: int) -> None:
    rows = list(_invoices(count))
    for begin in range(0, count, CHUNK):
        store.write(dict(rows[begin : begin + CHUNK]), begin + CHUNK)


def _invoices(count: int) -> Iterator[tuple[bytes, bytes]]:
    for number in range(count):
        due_on = FIRST_DUE + timedelta(days=number % DAYS)
        invoice = Invoice(
            invoice_id=f"inv-{number:08d}",
            number=f"2026-{number:08d}",
            currency="EUR",
            total=4_900,
            balance=4_900,
            issued_on=due_on - timedelta(days=14),
            due_on=due_on,
            grace_days=14,
            version=1,
            ready_on=due_on + timedelta(days=14),
            zone_key=keys.company_zone(COMPANY.id),
        )
        yield keys.item_row(f"acc-{number * 7 % count:08d}", "invoice", invoice.invoice_id), pack(invoice)


def _look(store: RocksStore, wanted: int) -> float:
    """Return the seconds that a tick at 09:00 of the 20th day needs to name the accounts."""
    day = FIRST_DUE + timedelta(days=DAYS // 2)
    nine = first_instant(COMPANY.time_zone, day, 9 * 60)
    stretch = Stretch(nine - SECOND, nine + SECOND)
    rulebook = Rulebook(RULES, {COMPANY.id: COMPANY})
    begun = time.perf_counter()
    found = accounts_due(Txn(store), rulebook, stretch, stretch)
    seconds = time.perf_counter() - begun
    if len(found) != wanted:
        raise BenchmarkError(f"{len(found)} accounts found, {wanted} have an invoice due")
    return seconds
