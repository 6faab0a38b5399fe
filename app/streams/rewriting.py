"""Rows of a journal written by a tool: ordinary batches under the partition's fence, while its worker is shut out."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Final

from app.engine.ports import BatchTooLargeError
from app.errors import WhimbrelError
from app.streams.client import in_time, opened_consumer
from app.streams.journal import JournalWriter, TakenOverError
from app.streams.patience import Patience

ROWS: Final = 2_000
"""Of a batch: rows that belong together are never parted, so it may be more."""

Changes = Mapping[bytes, bytes | None]


class OvertakenError(WhimbrelError):
    """Somebody else writes the partition's journal."""


@asynccontextmanager
async def fenced(writer: JournalWriter) -> AsyncIterator[tuple[JournalWriter, int]]:
    """Open a journal's one writer; yield it with the offset of its fence, and close it. Raises OvertakenError."""
    try:
        yield writer, await writer.fence()
    except TakenOverError as error:
        raise OvertakenError(
            f"a worker has taken {writer.topic}[{writer.partition}] over: stop the workers, then run this again"
        ) from error
    finally:
        await in_time(writer.close())


async def append(writer: JournalWriter, batch: Changes, commit: bytes) -> None:
    """Append rows and the commit record, in as many batches as it takes."""
    try:
        await writer.append(batch, commit)
    except BatchTooLargeError:
        if len(batch) < 2:  # noqa: PLR2004 - one row was written by a batch once, so it fits
            raise
        rows = list(batch.items())
        await append(writer, dict(rows[: len(rows) // 2]), commit)
        await append(writer, dict(rows[len(rows) // 2 :]), commit)


def batches(changes: Changes, together: Callable[[bytes], str]) -> Iterator[Changes]:
    """Yield the changes in parts of about `ROWS`; those whose key has the same `together` are not parted."""
    part: dict[bytes, bytes | None] = {}
    for _, rows in groupby(sorted(changes, key=lambda key: (together(key), key)), key=together):
        part.update((key, changes[key]) for key in rows)
        if len(part) >= ROWS:
            yield part
            part = {}
    if part:
        yield part


@asynccontextmanager
async def patient(bootstrap: str) -> AsyncIterator[Patience]:
    """Watch the brokers through a client that can only read; raise KafkaAwayError in the body once they are away."""
    async with opened_consumer(bootstrap) as consumer:
        patience = Patience(consumer._client, bootstrap)  # noqa: SLF001 - aiokafka shows it for producers alone
        watching, body = asyncio.create_task(patience.watch()), asyncio.current_task()

        def break_off(_: asyncio.Task[None]) -> None:
            if body is not None:
                body.cancel()

        watching.add_done_callback(break_off)
        try:
            yield patience
        except asyncio.CancelledError:
            if body is not None and watching.done():
                body.uncancel()
                watching.result()
            raise
        finally:
            watching.remove_done_callback(break_off)
            watching.cancel()
            await asyncio.wait([watching])
