"""Where the points lie in the adapters of Kafka and RocksDB; and how a whole process gets all of them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from types import ModuleType
from typing import Any, Final

import aiosmtplib.smtp
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.producer.transaction_manager import PidAndEpoch

import app.bootstrap
import app.delivery.sender
import app.engine.lane
import app.streams.opening
import app.streams.restore
import app.streams.worker
from app.contract.instants import Instant
from app.domain.switches import Trip
from app.engine.batch import Bounds
from app.engine.records import Commit, Output
from app.streams import config_apply
from app.streams.journal import Confirm, JournalWriter
from app.streams.opening import Opening, OpenLane
from app.streams.outputs import KafkaOutputs
from app.streams.patience import UNACKNOWLEDGED_SECONDS, Patience
from app.streams.store import RocksStore
from app.streams.ticker import MadeTick, Ticker
from app.streams.tripping import TripTeller
from tests.failpoints import Reached
from tests.seams import Seamed, SeamedLane, SeamedProtocol, SeamedPump, SeamedRelay, writes_attempting, writes_done

SMALL_CHUNK: Final = 32
SMALL_SLICES: Final = Bounds(slice=1, ticks=1)
OFTEN_SECONDS: Final = 1.0

_restore, _chunk, _switch = app.streams.restore.restore, app.streams.restore._chunk, config_apply.switch
_shipped: ContextVar[list[asyncio.Future[Any]]] = ContextVar("shipped")


class SeamedJournal(Seamed, JournalWriter):
    """Each thing that is said to the journal's broker."""

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        partition: int,
        transactional_id: str,
        patience: Patience,
        clock: Callable[[], Instant] | None = None,
        confirm: Confirm | None = None,
    ) -> None:
        told = None if confirm is None else partial(self._told, confirm)
        super().__init__(bootstrap, topic, partition, transactional_id, _JournalPatience(patience, self), clock, told)
        self.step = ""
        self.points: list[str] = []
        """What an append that is in the journal has come by."""
        self._asked = ""
        self._identities = iter((("", ""),))

    async def fence(self) -> int:
        self.step, self.points = "open-fence", ["open-fence-appended"]
        self._identities = iter((("", "open-first-identity"), ("open-group-asked", "open-second-identity")))
        offset = await super().fence()
        self.reached("open-probe-refused")
        return offset

    async def append(self, changes: Mapping[bytes, bytes | None], commit: bytes) -> int:
        self.step = "append"
        self.points = ["append-done"]
        self.points += ["attempting-appended"] if writes_attempting(changes) else []
        self.points += ["result-appended"] if writes_done(changes) else []
        return await super().append(changes, commit)

    async def _told(self, confirm: Confirm) -> float:
        until = await confirm()
        self.reached(self._asked)
        return until

    async def _identity(self) -> PidAndEpoch:
        self._asked, given = next(self._identities)
        identity = await super()._identity()
        self.reached(given)
        return identity

    async def _append(self, batch: BatchBuilder) -> int:
        offset = await super()._append(batch)
        if self.step == "open-fence":
            self.reached("open-fence-known")
        self.step = ""
        return offset


class _SeamedPatience(Patience):
    """Stands between a batch that is sent and its acknowledgement; its patience is another's."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience

    async def sent(self, send: Callable[[], Awaitable[asyncio.Future[Any]]], topic: str) -> asyncio.Future[Any]:
        return await self._patience.sent(send, topic)


class _JournalPatience(_SeamedPatience):
    """For the journal."""

    def __init__(self, patience: Patience, journal: SeamedJournal) -> None:
        super().__init__(patience)
        self._journal = journal

    async def acknowledged(self, future: asyncio.Future[Any], what: str) -> Any:
        journal = self._journal
        if journal.step:
            journal.reached(f"{journal.step}-sent")
            if await _succeeded([future]):
                for point in journal.points:
                    journal.reached(point)
        return await self._patience.acknowledged(future, what)


async def _succeeded(futures: Sequence[asyncio.Future[Any]]) -> bool:
    """Wait for acknowledgements, no longer than the product itself would; leave what failed to it."""
    done, pending = await asyncio.wait(futures, timeout=UNACKNOWLEDGED_SECONDS)
    return not pending and all(future.exception() is None for future in done)


class SeamedOutputs(Seamed, KafkaOutputs):
    """A commit's outputs, topic by topic."""

    def __init__(self, producer: Any, patience: Patience) -> None:
        super().__init__(producer, _OutputPatience(patience, self))

    async def send(self, outputs: Sequence[Output], partition: int, batch: str) -> None:
        _shipped.set([])
        await super().send(outputs, partition, batch)

    async def _ship(self, builder: BatchBuilder, topic: str, partition: int) -> asyncio.Future[Any]:
        shipped = _shipped.get()
        if shipped and await _succeeded(shipped):
            self.reached("outputs-half")
        future = await super()._ship(builder, topic, partition)
        shipped.append(future)
        return future


class _OutputPatience(_SeamedPatience):
    """For outputs."""

    def __init__(self, patience: Patience, outputs: SeamedOutputs) -> None:
        super().__init__(patience)
        self._outputs = outputs

    async def acknowledged(self, future: asyncio.Future[Any], what: str) -> Any:
        if future is _shipped.get()[0] and await _succeeded(_shipped.get()):
            self._outputs.reached("outputs-sent")
        return await self._patience.acknowledged(future, what)


class SeamedOpening(Seamed, Opening):
    """What comes between a restored store and its lane."""

    async def _commit(self, store: RocksStore, partition: int) -> Commit:
        commit = await super()._commit(store, partition)
        self.reached("open-positions-known")
        return commit


class SeamedOpenLane(Seamed, OpenLane):
    """A lane that has ended."""

    async def close(self) -> None:
        self.reached("revoke-lane-ended")
        await super().close()


class SeamedStore(Seamed, RocksStore):
    """A database that closes."""

    def close(self) -> None:
        super().close()
        self.reached("revoke-database-closed")


class SeamedTicker(Seamed, Ticker):
    """Ticks of this worker's."""

    async def _append(self, partition: int, ends: Mapping[TopicPartition, int]) -> MadeTick:
        made = await super()._append(partition, ends)
        self.reached("tick-made")
        return made


class SeamedTeller(Seamed, TripTeller):
    """Trips on their way to everybody."""

    def tell(self, trip: Trip) -> None:
        self.reached("trip-told")
        super().tell(trip)


async def _restored(bootstrap: str, topic: str, partition: int, store: RocksStore, fence: int, now: Instant) -> None:
    Seamed.reached("open-restore-begun")
    await _restore(bootstrap, topic, partition, store, fence, now)
    Seamed.reached("open-restored")


async def _chunked(consumer: AIOKafkaConsumer, here: TopicPartition, store: RocksStore, fence: int) -> None:
    await _chunk(consumer, here, store, fence)
    if store.offset < fence:
        Seamed.reached("open-restore-amid")


async def _switched(*arguments: Any) -> Any:
    switched = await _switch(*arguments)
    Seamed.reached("trip-published")
    return switched


PLACES: Final[Sequence[tuple[ModuleType, str, Any]]] = (
    (app.streams.opening, "JournalWriter", SeamedJournal),
    (app.streams.opening, "RocksStore", SeamedStore),
    (app.streams.opening, "OpenLane", SeamedOpenLane),
    (app.streams.opening, "Lane", SeamedLane),
    (app.streams.opening, "restore", _restored),
    (app.streams.restore, "_chunk", _chunked),
    (app.streams.worker, "Opening", SeamedOpening),
    (app.streams.worker, "KafkaOutputs", SeamedOutputs),
    (app.streams.worker, "Ticker", SeamedTicker),
    (app.bootstrap, "TripTeller", SeamedTeller),
    (app.bootstrap, "Relay", SeamedRelay),
    (app.delivery.sender, "Pump", SeamedPump),
    (aiosmtplib.smtp, "SMTPProtocol", SeamedProtocol),
    (config_apply, "switch", _switched),
)
"""Where each seam takes a part's place."""


def install(reached: Reached) -> None:
    """Put the seams into this process: everything that the product's composition root builds has them."""
    Seamed.reached = staticmethod(reached)
    for module, name, seamed in PLACES:
        setattr(module, name, seamed)


def make_frequent(point: str) -> None:
    """Bring about what seldom happens by itself: many chunks, many slices, a fence every second."""
    match point:
        case "open-restore-amid":
            setattr(app.streams.restore, "CHUNK_RECORDS", SMALL_CHUNK)  # noqa: B010 - it is Final to everybody else
        case "slice-committed":
            SeamedLane.slices = SMALL_SLICES
        case "refence-known":
            app.engine.lane.REFENCE_SECONDS = OFTEN_SECONDS
