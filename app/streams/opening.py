"""From an assigned partition to a lane that may run: fence, restore, positions."""

import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec.structs import replace

from app import clock
from app.engine.batch import Bounds
from app.engine.handler import Handler
from app.engine.inputs import Inputs
from app.engine.lane import Lane
from app.engine.pace import CatchUp
from app.engine.ports import Ports, StateUnusableError
from app.engine.records import COMMIT_KEY, Commit, decode_commit
from app.engine.ticks import Ticks
from app.streams.config_reader import ConfigReader
from app.streams.journal import Confirm, JournalWriter
from app.streams.outputs import KafkaOutputs
from app.streams.patience import Patience
from app.streams.positions import begun, resumed
from app.streams.restore import restore
from app.streams.store import RocksStore
from app.streams.ticker import Ticker

log = logging.getLogger(__name__)

MOVING_KEY: Final = b"~moving"
"""In a journal whose rows are on their way to other partitions: no worker may have it until that is done."""
GROWN_KEY: Final = b"~grown"
"""In a journal whose accounts may have earlier facts in another partition: it was moved to so many partitions."""


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """What one app's lanes consist of."""

    app: str
    """Name of the consumer group; the transactional ids begin with it."""
    handler: Callable[[int], Handler]
    """A partition's handler, made anew for each lane."""
    inputs: Sequence[str]
    """Topics of facts, the first one first at equal times."""
    journal: str
    outcomes: str | None = None
    """The topic of what was done that cannot be undone: nothing is there unless it is in the journal, too."""
    unticked: Sequence[str] = ()
    """Topics merged behind the facts, for which no tick waits: its `ends` do not name them."""
    ticks: str | None = None
    """The topic of ticks, where the handler has business with time."""
    external: bool = False
    """Time comes from the records' headers; no tick is made here."""
    config: ConfigReader | None = None
    """The configuration that the handler decides by."""
    bounds: Bounds | None = None
    catch_up: CatchUp | None = None
    """How fast ticks may catch up with what an outage has made them miss."""
    sized: Sequence[Callable[[int], None]] = ()
    """Told how many partitions there are, before any lane is opened."""
    beside: Callable[[], Coroutine[Any, Any, None]] | None = None
    """Runs beside the lanes, to the end."""
    close: Callable[[], Awaitable[None]] | None = None
    """Awaited once all lanes have ended: releases what the handlers share."""

    @property
    def merged(self) -> tuple[str, ...]:
        """The topics whose records the handler gets."""
        return (*self.inputs, *self.unticked)

    @property
    def read(self) -> tuple[str, ...]:
        """The topics that a lane reads."""
        return (*self.merged, *(() if self.ticks is None else (self.ticks,)))

    @property
    def topics(self) -> tuple[str, ...]:
        """Every topic without which no lane can work."""
        others = (self.outcomes, None if self.config is None else self.config.topic)
        return (*self.read, self.journal, *(topic for topic in others if topic is not None))


@dataclass(frozen=True)
class OpenLane:
    """A lane with what must be closed after it."""

    lane: Lane
    store: RocksStore
    journal: JournalWriter

    async def close(self) -> None:
        """Release the database, then the connection."""
        self.store.close()
        await self.journal.close()


class Opening:
    """Opens lanes."""

    def __init__(
        self,
        wiring: Wiring,
        bootstrap: str,
        state: Path,
        *,
        consumer: AIOKafkaConsumer,
        outputs: KafkaOutputs,
        ticker: Ticker | None,
        patience: Patience,
        may_decide: Callable[[], bool],
        go_on: bool = False,
    ) -> None:
        """`consumer` answers questions about offsets; it belongs to no group. `go_on`: without input that is lost."""
        self._wiring = wiring
        self._bootstrap = bootstrap
        self._state = state
        self._consumer = consumer
        self._outputs = outputs
        self._ticker = ticker
        self._patience = patience
        self._may_decide = may_decide
        self._go_on = go_on

    @property
    def topics(self) -> tuple[str, ...]:
        """Every topic that a lane reads."""
        return self._wiring.read

    async def open(self, partition: int, confirm: Confirm) -> OpenLane:
        """Fence the partition's journal, restore its rows, find its positions."""
        wiring = self._wiring
        handler = wiring.handler(partition)
        journal = JournalWriter(
            self._bootstrap,
            wiring.journal,
            partition,
            f"{wiring.app}-journal-{partition}",
            self._patience,
            clock=None if wiring.ticks else clock.now,  # ticks tell the time, and more gently
            confirm=confirm,
        )
        async with AsyncExitStack() as undo:
            undo.push_async_callback(journal.close)
            fence = await journal.fence()
            store = RocksStore(self._state / str(partition), handler.index, clock.now)
            undo.callback(store.close)
            await restore(self._bootstrap, wiring.journal, partition, store, fence, clock.now())
            if store.get(MOVING_KEY) is not None:
                raise StateUnusableError(
                    f"{wiring.journal}[{partition}] is being moved to another number of partitions: finish what was"
                    " begun, with: whimbrel topics grow"
                )
            commit = await self._commit(store, partition)
            log.info("restored", extra={"partition": partition, "offset": store.offset})
            undo.pop_all()
        return OpenLane(self._lane(partition, handler, store, journal, commit), store, journal)

    def _lane(
        self, partition: int, handler: Handler, store: RocksStore, journal: JournalWriter, commit: Commit
    ) -> Lane:
        wiring = self._wiring
        positions = dict(commit.positions)
        ports = Ports(
            store=store,
            journal=journal,
            outputs=self._outputs,
            clock=clock.now,
            monotonic=time.monotonic,
            may_decide=self._may_decide,
            pace=None if wiring.catch_up is None else wiring.catch_up.pace(time.monotonic),
            config=lambda: -1 if wiring.config is None else wiring.config.offset,
        )
        return Lane(
            partition,
            handler,
            ports,
            commit=commit,
            inputs=Inputs({topic: positions[topic] for topic in wiring.merged}),
            ticks=Ticks(wiring.ticks, positions[wiring.ticks]) if wiring.ticks else None,
            external=wiring.external,
            bounds=wiring.bounds,
        )

    async def _commit(self, store: RocksStore, partition: int) -> Commit:
        """Return the commit record to go on from, with a position for every topic."""
        stored = store.get(COMMIT_KEY)
        beginnings, ends = await self._range(partition)
        live_since, positions = None, dict(beginnings)
        tick = None if self._ticker is None else await self._ticker.tick(partition)
        if self._wiring.ticks is not None and tick is not None:
            # Ticks made before the fence say nothing of what came since.
            beginnings[self._wiring.ticks] = positions[self._wiring.ticks] = tick.offset
            live_since = tick.instant
        if stored is None:
            if self._wiring.outcomes is not None:
                positions = await self._first(self._wiring.outcomes, partition, positions, ends)
            return Commit(incarnation=f"{store.stamp:x}", positions=positions, live_since=live_since)
        commit = decode_commit(stored)
        known = {topic: position for topic, position in commit.positions.items() if topic in positions}
        if self._wiring.ticks is not None and tick is not None:
            known[self._wiring.ticks] = tick.offset
        resumption = {
            topic: resumed(topic, partition, position, beginnings[topic], ends[topic], go_on=self._go_on)
            for topic, position in known.items()
        }
        return replace(commit, positions=positions | resumption)

    async def _first(
        self, outcomes: str, partition: int, beginnings: dict[str, int], ends: dict[str, int]
    ) -> dict[str, int]:
        here = TopicPartition(outcomes, partition)
        done = (await self._patience.answered(lambda: self._consumer.end_offsets([here])))[here]
        journal = self._wiring.journal
        return begun(journal, outcomes, partition, beginnings, ends, done=done, go_on=self._go_on)

    async def _range(self, partition: int) -> tuple[dict[str, int], dict[str, int]]:
        here = [TopicPartition(topic, partition) for topic in self.topics]
        beginnings = await self._patience.answered(lambda: self._consumer.beginning_offsets(here))
        ends = await self._patience.answered(lambda: self._consumer.end_offsets(here))
        return {tp.topic: beginnings[tp] for tp in here}, {tp.topic: ends[tp] for tp in here}
