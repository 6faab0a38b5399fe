"""What a lane asks of the code it carries: pure functions over batches, rows and ticks."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

from app.contract.instants import Instant
from app.engine.records import Cursor, Record, Tick
from app.engine.txn import Txn


class View(Struct, kw_only=True):
    """Where the lane stands as one batch begins.

    `now` is the clock's; in external mode it is the time of the newest tick, and each record bears its own in a header.
    `live_since` None: in external mode, before the first record told.
    """

    partition: int
    now: Instant
    cursor: Cursor | None = None
    live_since: Instant | None = None
    external: bool = False
    raised: str | None = None
    """Why the one record at hand has raised before: what its account's clock calls up may be at fault, not the record.
    Then the clock is to stay where it is."""


class Handler(Protocol):
    """One partition's business. Every method may run again for the same input on a fresh `txn`: it keeps no state."""

    def index(self, key: bytes, value: bytes) -> Iterable[bytes]:
        """Return the index keys of a row: a pure function of it, no two rows share one."""

    def records(self, batch: Sequence[Record], txn: Txn, view: View) -> None:
        """Process facts, in merged order."""

    def tick(self, tick: Tick, cursor: Cursor | None, txn: Txn, view: View, limit: int) -> Cursor:
        """Process one slice of a tick, of about `limit` rows and never part of an account; return where it stands now.

        `cursor` is where the partition stood before: inside this tick, or at the end of an earlier one.
        """

    def refuse(self, record: Record, reason: str, txn: Txn, view: View) -> None:
        """Dead-letter a record that raises, or whose outcome does not fit into a journal batch; change no state."""

    def pass_over(self, tick: Tick, cursor: Cursor | None, reason: str, txn: Txn, view: View) -> Cursor:
        """Set the next account of a tick aside: a slice of it alone, begun on the same `cursor`, has just raised.

        Return where the tick stands behind it. Raises StateUnusableError where it was no account's fault.
        """


class LaneAccess(Protocol):
    """What a handler's own tasks may use of the lane they run beside."""

    @property
    def partition(self) -> int: ...

    def read(self) -> Txn:
        """Return a view of the committed rows, to be dropped before the next await; what is put there is lost."""

    def apply(self, work: Callable[[Txn, View], None]) -> Awaitable[None]:
        """Commit `work` like a batch; done when its outputs are acknowledged. `work` may run more than once."""


@runtime_checkable
class Companion(Protocol):
    """A handler with tasks of its own beside the lane, as the sender's SMTP dialogues."""

    async def started(self, lane: LaneAccess) -> None:
        """Begin: rows are restored and the last outputs sent; return soon."""

    async def stopping(self) -> None:
        """End your tasks: the lane commits until this returns, and nothing after it. Bounded by the revoke bound."""

    def committed(self) -> None:
        """Look for new work: a batch of the lane has changed rows. Called after its outputs are acknowledged."""
