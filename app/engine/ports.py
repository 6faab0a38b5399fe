"""What the engine asks of the outside: a store, a journal, a log for outputs. Adapters are in app/streams."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from app.contract.instants import Instant
from app.engine.pace import Pace
from app.engine.records import Output
from app.engine.txn import Rows
from app.errors import WhimbrelError


class BatchTooLargeError(Exception):
    """The batch does not fit into one Kafka record batch. Nothing was appended."""


class JournalIntrudedError(WhimbrelError):
    """Someone else has appended to this partition's journal: what this process holds is no longer the state."""


class StateUnusableError(WhimbrelError):
    """The state or the input is not what the commit record says; going on would lose or repeat facts."""


class Store(Rows, Protocol):
    """The rows of one partition, with an index derived from them."""

    @property
    def offset(self) -> int:
        """Offset of the newest journal record that the rows contain; -1 where there is none."""

    def write(
        self, changes: Mapping[bytes, bytes | None], offset: int, before: Mapping[bytes, bytes | None] | None = None
    ) -> None:
        """Write rows, their index and the journal offset, all or nothing.

        `before`, where given, has the committed values of rows that are known already: it saves reading them again.
        """


class Journal(Protocol):
    """The one writer of a partition's journal."""

    async def append(self, changes: Mapping[bytes, bytes | None], commit: bytes) -> int:
        """Append the changes and then the commit record, whole or not at all; return the commit record's offset.

        Raises `BatchTooLargeError` before anything is appended. Any other failure leaves open whether the batch is in
        the journal: the process must end.
        """

    async def fence(self) -> int:
        """Append a `~fence` record, so that the broker neither forgets this writer nor accepts an earlier one's.

        Returns its offset.
        """


class OutputLog(Protocol):
    """Where outputs go."""

    async def send(self, outputs: Sequence[Output], partition: int, batch: str) -> None:
        """Append the outputs to this partition of their topics; return when all are acknowledged.

        Each bears a header `whimbrel-id` of `batch`, a slash and its index in `outputs`.
        """


class Ports(Struct, frozen=True, kw_only=True):
    """One lane's outside."""

    store: Store
    journal: Journal
    outputs: OutputLog
    clock: Callable[[], Instant]
    monotonic: Callable[[], float]
    may_decide: Callable[[], bool] = lambda: True
    """False holds back facts and ticks: the configuration in force or the time is not known well enough."""
    pace: Pace | None = None
    """How fast a tick may catch up; None: as fast as it can."""
    config: Callable[[], int] = lambda: -1
    """Offset of the configuration in force."""
