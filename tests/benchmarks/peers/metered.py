"""A real worker with a meter around its handlers: it answers when everything is committed, and stops."""

import signal
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace

from app import logs
from app.engine.handler import Handler, LaneAccess, View
from app.engine.records import Cursor, Record, Tick
from app.engine.txn import Txn
from app.settings import Settings
from app.streams.opening import Wiring
from app.streams.worker import run_worker
from tests.benchmarks.job import Job, Meter, answer
from tests.benchmarks.profiling import profiled


def run_measured(wiring: Wiring, settings: Settings, job: Job) -> None:
    """Run a worker until the job's facts and ticks are committed; tell the harness what it took."""
    logs.setup("text", "info")
    meter = Meter()
    profile = ExitStack()

    def reached() -> None:
        answer(meter.result(job.count, wiring.journal))
        profile.close()
        signal.raise_signal(signal.SIGTERM)

    target = Target(job.count, job.ticks, meter, reached)
    handler = wiring.handler
    profile.enter_context(profiled(job.profile))
    run_worker(replace(wiring, handler=lambda partition: Metered(handler(partition), target)), settings)


class Target:
    """How many facts and ticks all partitions together must commit; `reached` is called once they have."""

    def __init__(self, facts: int, ticks: int, meter: Meter, reached: Callable[[], None]) -> None:
        """Start `meter` with the first fact."""
        self.meter = meter
        self._missing = [facts, ticks]
        self._reached = reached

    def add(self, facts: int, ticks: int) -> None:
        """Count a committed batch."""
        if not (facts or ticks):
            return
        self._missing[0] -= facts
        self._missing[1] -= ticks
        if self._missing == [0, 0]:
            self._reached()


class Metered:
    """One partition's handler; what it does is `handler`'s."""

    def __init__(self, handler: Handler, target: Target) -> None:
        """Count for `target`."""
        self._handler = handler
        self._target = target
        self._txn: Txn | None = None
        self._facts = self._ticks = 0

    def index(self, key: bytes, value: bytes) -> Iterable[bytes]:
        return self._handler.index(key, value)

    def records(self, batch: Sequence[Record], txn: Txn, view: View) -> None:
        self._target.meter.begin()
        self._begin(txn)
        self._facts += len(batch)
        self._handler.records(batch, txn, view)

    def tick(self, tick: Tick, cursor: Cursor | None, txn: Txn, view: View, limit: int) -> Cursor:
        self._begin(txn)
        after = self._handler.tick(tick, cursor, txn, view, limit)
        self._ticks += after.after is None
        return after

    def refuse(self, record: Record, reason: str, txn: Txn, view: View) -> None:
        self._begin(txn)
        self._facts += 1
        self._handler.refuse(record, reason, txn, view)

    def pass_over(self, tick: Tick, cursor: Cursor | None, reason: str, txn: Txn, view: View) -> Cursor:
        return self._handler.pass_over(tick, cursor, reason, txn, view)

    async def started(self, lane: LaneAccess) -> None:
        """Begin nothing: the lane is all there is."""

    async def stopping(self) -> None:
        """End nothing."""

    def committed(self) -> None:
        """Count the batch: its journal and its outputs are acknowledged."""
        self._target.add(self._facts, self._ticks)
        self._facts = self._ticks = 0

    def _begin(self, txn: Txn) -> None:
        # A batch that proved too large is computed again, on a transaction of its own.
        if txn is not self._txn:
            self._txn = txn
            self._facts = self._ticks = 0
