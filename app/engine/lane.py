"""The batch lane of one partition: everything it reads becomes one batch at a time, each whole or not at all.

A batch's way (ARCHITECTURE.md, section 5): journal acknowledged, store written, outputs acknowledged, next batch. What
is raised on the way leaves open how far it came: the process must end, and the next owner goes on from the journal.
"""

import asyncio
from collections import deque
from contextlib import suppress

from msgspec.structs import replace

from app import metrics
from app.contract.instants import Instant, parse_instant
from app.engine.batch import Batch, Bounds, Work
from app.engine.handler import Companion, Handler, View
from app.engine.inputs import Fetch, Inputs
from app.engine.pace import begun, is_behind
from app.engine.poison import NOT_OF_THE_INPUT, NotAloneError, reason_of, set_aside
from app.engine.ports import BatchTooLargeError, JournalIntrudedError, Ports, StateUnusableError
from app.engine.records import COMMIT_KEY, FROM_HEADER, Commit, Cursor, Record, Tick, encode_commit, header
from app.engine.ticks import MILLISECOND, Ticks
from app.engine.txn import Txn

REFENCE_SECONDS = 3_600.0
GATE_SECONDS = 0.25
OUTPUT_BYTES = 900_000
"""What a topic that sets no `max.message.bytes` surely takes."""
TOO_LARGE = "too_large: its outcome does not fit into one journal batch"


class LaneStoppedError(Exception):
    """The lane has ended; what was to be applied is for the partition's next owner."""


class Lane:
    """One partition's lane. `run` does the work; `feed`, `apply` and `stop` may be called meanwhile."""

    def __init__(
        self,
        partition: int,
        handler: Handler,
        ports: Ports,
        *,
        commit: Commit,
        inputs: Inputs,
        ticks: Ticks | None = None,
        external: bool = False,
        bounds: Bounds | None = None,
    ) -> None:
        """Go on after `commit`, the store's; `inputs` and `ticks` stand at its positions.

        External: time and order come from the records' headers (a played history), every tick is processed.
        """
        self.partition = partition
        self.commit = commit
        self.inputs = inputs
        self.ticks = ticks
        self.external = external
        self._handler = handler
        self._ports = ports
        self._most = self._bounds = bounds or Bounds()
        self._next_offset = ports.store.offset + 1
        self._fenced = ports.monotonic()
        self._works: deque[tuple[Work, asyncio.Future[None]]] = deque()
        self._wake = asyncio.Event()
        self._draining = self._stopped = False

    @property
    def positions(self) -> dict[str, int]:
        """The next offset of each input topic after the last commit."""
        return self.commit.positions

    def feed(self, fetch: Fetch) -> int | None:
        """Buffer a fetch; where it leaves a gap, drop it and return the position to seek to."""
        if self.ticks is not None and fetch.topic == self.ticks.topic:
            gap = self.ticks.feed(fetch)
        else:
            gap = self.inputs.feed(fetch)
        if gap is not None:
            metrics.GAPS.inc()
        elif fetch.end > fetch.start or self.inputs.pending:  # a tick may wait for what delivers no record, too
            self._wake.set()
        return gap

    def wants(self, topic: str) -> bool:
        """Say whether the topic should be fetched from: a full buffer waits."""
        if self.ticks is not None and topic == self.ticks.topic:
            return self.ticks.wants()
        return self.inputs.wants(topic)

    def read(self) -> Txn:
        """Return a view of the committed rows, to be dropped before the next await; what is put there is lost."""
        return Txn(self._ports.store)

    def apply(self, work: Work) -> asyncio.Future[None]:
        """Commit `work` with whatever else waits; done when its outputs are acknowledged.

        `work` may run more than once. The future raises `BatchTooLargeError` where its outcome alone is too large, and
        `LaneStoppedError` where the lane has ended.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._stopped:
            future.set_exception(LaneStoppedError())
            return future
        self._works.append((work, future))
        self._wake.set()
        return future

    def wake(self) -> None:
        """Look again at what may be done."""
        self._wake.set()

    async def run(self) -> None:
        """Send the last commit's outputs again, then commit batch after batch until stopped."""
        await self._send(self.commit)
        if self._ports.store.get(COMMIT_KEY) is None:
            await self._write(self._batch())
        if isinstance(self._handler, Companion) and not self._draining:
            await self._handler.started(self)
        while not self._stopped:
            self._wake.clear()
            if self._ports.monotonic() - self._fenced > REFENCE_SECONDS:
                await self._refence()
            if await self._advance():
                await asyncio.sleep(0)  # whatever else the process does has its turn, should nothing have waited
            else:
                await self._idle()
        for _, future in self._works:
            if not future.done():
                future.set_exception(LaneStoppedError())

    async def stop(self) -> None:
        """Take no more input, let the handler's tasks end, finish the batch in hand. `run` returns soon after."""
        self._draining = True
        if isinstance(self._handler, Companion):
            await self._handler.stopping()
        self._stopped = True
        self._wake.set()

    async def _idle(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience()):
                await self._wake.wait()

    def _patience(self) -> float:
        if not self._ports.may_decide():
            return GATE_SECONDS
        waits = self._ports.pace is not None and _unfinished(self.commit.cursor) is not None
        return self._ports.pace.wait() if self._ports.pace is not None and waits else REFENCE_SECONDS

    async def _refence(self) -> None:
        """Brokers forget idle writers, and a writer counts its records in 31 bits.

        Whoever fences is the newest writer. So a batch goes before it, which is refused where others have the partition
        by now: of them a worker knows nothing yet that has stood still.
        """
        await self._write(self._batch())
        self._expect(await self._ports.journal.fence())
        self._ports.store.write({}, self._next_offset - 1)
        self._fenced = self._ports.monotonic()

    async def _advance(self) -> bool:
        """Commit one batch; False where there is nothing to do."""
        while True:
            try:
                batch = self._compute()
            except NotAloneError:
                self._undo()
                self._bounds = self._bounds.halved()
                continue
            if batch.empty:
                return False
            try:
                await self._write(batch)
            except BatchTooLargeError:
                if self._bounds.least and batch.tick is not None:
                    await self._pass_over(batch, batch.tick)
                    return True
                self._undo()
                if self._bounds.least:
                    await self._refuse(batch)
                    return True
                self._bounds = self._bounds.halved()
            else:
                self._bounds = self._bounds.grown(self._most)
                return True

    def _batch(self) -> Batch:
        return Batch(Txn(self._ports.store), self.commit.cursor, self.commit.live_since)

    def _compute(self) -> Batch:
        with metrics.HANDLING_SECONDS.time():
            return self._filled(self._batch())

    def _filled(self, batch: Batch) -> Batch:
        for work, _ in list(self._works)[: self._bounds.works]:
            if batch.full(self._bounds):
                break
            work(batch.txn, self._view(batch))
            batch.works += 1
        if self._draining or not self._ports.may_decide() or batch.full(self._bounds):
            return batch
        if self.external:
            self._play(batch)
        else:
            self._follow(batch)
        return batch

    def _follow(self, batch: Batch) -> None:
        """Live: the facts at hand, then a slice of the tick that they have reached."""
        now = self._now(batch)
        records = self.inputs.take_by_time(self._bounds.records, now // MILLISECOND, self._ports.monotonic())
        self._facts(batch, records)
        if batch.full(self._bounds) or self.ticks is None:
            return
        tick = _unfinished(batch.cursor) or self.ticks.take_newest(
            self.inputs, now, batch.cursor.instant if batch.cursor else None
        )
        if tick is not None:
            self._slice(batch, tick)

    def _play(self, batch: Batch) -> None:
        """External: facts up to the next tick, the tick, facts up to the one after, as many as a batch may hold."""
        if self.ticks is None:
            raise StateUnusableError("external mode needs a ticks topic")
        while not batch.full(self._bounds):
            unfinished = _unfinished(batch.cursor)
            if unfinished is not None:
                self._slice(batch, unfinished)
                continue
            mark = self.ticks.next()
            if mark is None:
                return
            if batch.live_since is None:
                batch.live_since = mark.since
            self._facts(batch, self.inputs.take_by_line(self._bounds.records - len(batch.records), mark.ends))
            if batch.full(self._bounds) or not self.inputs.reached(mark.ends):
                return
            self.ticks.take()
            self._slice(batch, mark.tick)

    def _facts(self, batch: Batch, records: list[Record]) -> None:
        if not records:
            return
        if batch.live_since is None:
            since = header(records[0], FROM_HEADER)
            batch.live_since = parse_instant(since.decode()) if since else None
        try:
            self._handler.records(records, batch.txn, self._view(batch))
        except Exception as error:  # noqa: BLE001 - `set_aside` raises again what is not the input's
            self._isolate(batch, error, f"{records[0].topic}[{self.partition}]@{records[0].offset}")
            self._set_aside(batch, records[0], reason_of(error))
        batch.add(records)

    def _set_aside(self, batch: Batch, record: Record, reason: str) -> None:
        """Take the record in alone, where not it but what its account's clock calls up has raised; else refuse it."""
        try:
            self._handler.records([record], batch.txn, replace(self._view(batch), raised=reason))
        except NOT_OF_THE_INPUT:
            raise
        except Exception:  # noqa: BLE001 - the same as before, which `reason` tells
            batch.txn = Txn(self._ports.store)
            self._handler.refuse(record, reason, batch.txn, self._view(batch))

    def _slice(self, batch: Batch, tick: Tick) -> None:
        """A slice of the tick; of one that catches up as much as its pace allows."""
        pace = self._ports.pace
        if pace is None or not is_behind(tick, batch.cursor, batch.live_since):
            self._tick(batch, tick, self._bounds.slice)
            return
        accounts, before = pace.accounts(self._bounds.slice), len(batch.txn.outputs)
        if accounts:
            self._tick(batch, tick, accounts)
            batch.cost = pace.cost(batch.txn.outputs[before:])
        elif batch.cursor is not None and batch.cursor.after is None:
            batch.cursor = begun(tick, batch.cursor)
            batch.ticks += 1
        batch.paced = True

    def _tick(self, batch: Batch, tick: Tick, accounts: int) -> None:
        try:
            batch.cursor = self._handler.tick(tick, batch.cursor, batch.txn, self._view(batch), accounts)
        except Exception as error:  # noqa: BLE001 - `set_aside` raises again what is not the input's
            self._isolate(batch, error, f"the tick of partition {self.partition}")
            batch.cursor = self._handler.pass_over(tick, batch.cursor, reason_of(error), batch.txn, self._view(batch))
        batch.tick = tick
        batch.ticks += 1

    def _isolate(self, batch: Batch, error: Exception, where: str) -> None:
        """In the least batch nothing comes before a fact or a slice that has changed a row: it would be full."""
        set_aside(error, where, alone=self._bounds.least)
        batch.txn = Txn(self._ports.store)

    def _view(self, batch: Batch) -> View:
        return View(
            partition=self.partition,
            now=self._now(batch),
            cursor=batch.cursor,
            live_since=batch.live_since,
            external=self.external,
        )

    def _now(self, batch: Batch) -> Instant:
        reached = batch.cursor.now if batch.cursor else batch.live_since or 0
        return reached if self.external else max(reached, self._ports.clock())

    async def _refuse(self, batch: Batch) -> None:
        """Answer for the one thing whose outcome does not fit into a journal batch of its own."""
        if batch.works:
            _, future = self._works.popleft()
            if not future.done():
                future.set_exception(BatchTooLargeError())
            return
        record = self.inputs.take_one(batch.records[0].topic)
        metrics.TOO_LARGE.inc()
        refusal = self._batch()
        refusal.live_since = batch.live_since
        self._handler.refuse(record, TOO_LARGE, refusal.txn, self._view(refusal))
        refusal.add([record])
        await self._write(refusal)

    async def _pass_over(self, batch: Batch, tick: Tick) -> None:
        """Set the one account aside whose tick does not fit into a journal batch; the tick stays taken."""
        metrics.TOO_LARGE.inc()
        refusal = self._batch()
        refusal.live_since = batch.live_since
        view = self._view(refusal)
        refusal.cursor = self._handler.pass_over(tick, refusal.cursor, TOO_LARGE, refusal.txn, view)
        refusal.ticks += 1
        await self._write(refusal)

    async def _write(self, batch: Batch) -> None:
        """Bring a batch into effect: journal, store, outputs, in this order."""
        positions = self.inputs.positions
        if self.ticks is not None:
            positions[self.ticks.topic] = self.ticks.position
        commit = Commit(
            incarnation=self.commit.incarnation,
            offset=self._next_offset + len(batch.txn.changes),
            positions=positions,
            cursor=batch.cursor,
            live_since=batch.live_since,
            config=self._ports.config(),
            outputs=batch.txn.outputs,
        )
        if any(len(output.value) > OUTPUT_BYTES for output in commit.outputs):
            raise BatchTooLargeError
        encoded = encode_commit(commit)
        begun = self._ports.monotonic()
        offset = await self._ports.journal.append(batch.txn.changes, encoded)
        metrics.APPEND_SECONDS.observe(self._ports.monotonic() - begun)
        self._expect(offset - len(batch.txn.changes), offset)
        self._ports.store.write({**batch.txn.changes, COMMIT_KEY: encoded}, offset, batch.txn.before)
        self._keep(batch, commit)
        await self._send(commit)
        self._resolve(batch)

    def _expect(self, first: int, last: int | None = None) -> None:
        if first != self._next_offset:
            raise JournalIntrudedError(
                f"partition {self.partition}: the journal's next offset was {self._next_offset}, it gave {first}"
            )
        self._next_offset = (first if last is None else last) + 1

    def _keep(self, batch: Batch, commit: Commit) -> None:
        self.commit = commit
        if self._ports.pace is not None and batch.cost:
            self._ports.pace.spend(batch.cost)
        self.inputs.keep()
        if self.ticks is not None:
            self.ticks.keep()
        metrics.BATCH_RECORDS.observe(len(batch.records))

    def _undo(self) -> None:
        self.inputs.undo()
        if self.ticks is not None:
            self.ticks.undo()

    async def _send(self, commit: Commit) -> None:
        if commit.outputs:
            batch = f"{commit.incarnation}/{self.partition}/{commit.offset}"
            await self._ports.outputs.send(commit.outputs, self.partition, batch)

    def _resolve(self, batch: Batch) -> None:
        for _ in range(batch.works):
            _, future = self._works.popleft()
            if not future.done():
                future.set_result(None)
        if isinstance(self._handler, Companion):
            self._handler.committed()


def _unfinished(cursor: Cursor | None) -> Tick | None:
    if cursor is None or cursor.after is None:
        return None
    return Tick(cursor.instant, cursor.now)
