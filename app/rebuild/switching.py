"""Puts rebuilt rows in the place of the old ones."""

from app.rebuild.difference import account_id
from app.rebuild.partition import Result
from app.rebuild.reading import Plan, rebuilt
from app.streams.journal import JournalWriter
from app.streams.patience import Patience
from app.streams.rewriting import append, batches, fenced


async def switched(plan: Plan, app: str, partition: int, patience: Patience) -> Result | None:
    """Shut the partition's worker out, rebuild its rows, and write those that differ; return what differed.

    Each batch ends with the partition's commit record as it was: positions, cursor and outputs stay what they are, so
    the next owner goes on from there, whatever part of the batches was written by then. Raises OvertakenError,
    MissingError.
    """
    async with fenced(writer_of(plan, app, partition, patience)) as (writer, fence):
        found = await rebuilt(plan, partition, fence)
        if found is None:
            return None
        snapshot, result = found
        for batch in batches(result.comparison.changes(), account_id):
            await append(writer, batch, snapshot.written)
        return result


def writer_of(plan: Plan, app: str, partition: int, patience: Patience) -> JournalWriter:
    """Return the writer of the partition's journal in the place of the worker of `app`."""
    return JournalWriter(plan.bootstrap, plan.names.book_journal, partition, f"{app}-journal-{partition}", patience)
