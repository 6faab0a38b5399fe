"""More partitions, in place: every account's rows move to the journal of its new partition.

Nothing is lost and nothing repeated, wherever it is broken off: journals that are being worked on are marked, workers
refuse those, and a second run goes on. Rows are in their new journal, acknowledged, before they leave the old one. Once
partitions were added no worker may have a journal before all is moved: it would take facts for those of new accounts.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import NewPartitions
from msgspec import Struct
from msgspec.structs import replace

from app.contract.instants import Instant
from app.domain.book import pack
from app.engine.records import Commit, Cursor, encode_commit
from app.engine.totals import ROW as TOTALS_ROW
from app.errors import WhimbrelError
from app.growth.forwarding import Forwarding
from app.growth.journals import Table, head, unread, unsent
from app.growth.placing import first_commit, lowest, misplaced, totals_of, with_own_clocks
from app.streams.client import TopicMissingError, opened_admin, opened_consumer, opened_producer, partition_counts
from app.streams.dead_letters import Wanted, letters, matching
from app.streams.journal import JournalWriter
from app.streams.names import Names
from app.streams.opening import GROWN_KEY, MOVING_KEY
from app.streams.partitioner import partition_of
from app.streams.patience import Patience
from app.streams.rewriting import Changes, append, batches, fenced

CREATE_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.05
NAMED: Final = 10
"""Dead letters that are named; of more their number is said."""
MARKED: Final = b"marked"
"""Workers are shut out, nothing was moved yet."""
MOVING: Final = b"moving"
MOVED: Final = b"moved"
"""All rows are where they belong; workers may have some of the journals again."""
STEPS: Final = (None, MARKED, MOVING, MOVED)


class GrowthError(WhimbrelError):
    """The partitions cannot grow now."""


class Plan(Struct, frozen=True, kw_only=True):
    """What is to grow: `topics` are all that have the one partition count."""

    bootstrap: str
    names: Names
    topics: Sequence[str]
    tables: Sequence[Table]
    partitions: int
    now: Instant
    go_on: bool = False
    """Without input that retention has removed before it was read (`WHIMBREL_LOST_INPUT`)."""


class Grown(Struct):
    """What was done."""

    accounts: set[str]
    rows: int = 0


async def grow(plan: Plan, patience: Patience, tell: Callable[[str], None]) -> Grown | None:
    """Grow all topics to `plan.partitions`; None where there is nothing to do.

    No worker may run and nobody may publish; what is still to be worked off first is said. What is published all the
    same once partitions were added is forwarded, and how much of which topic is told.

    Raises:
        GrowthError: Something is to be done first.
        OvertakenError: A worker was started meanwhile.
        StateUnusableError: Retention has removed what was published meanwhile, and `plan.go_on` is not set.
    """
    async with opened_consumer(plan.bootstrap) as consumer:
        return await _Growth(plan, patience, consumer, tell).run()


class _Growth:
    def __init__(self, plan: Plan, patience: Patience, consumer: AIOKafkaConsumer, tell: Callable[[str], None]) -> None:
        self._plan = plan
        self._patience = patience
        self._consumer = consumer
        self._tell = tell
        self._writers: dict[tuple[str, int], JournalWriter] = {}
        self._grown = Grown(set())

    async def run(self) -> Grown | None:
        counts = await _counts(self._plan)
        old, wanted = min(counts.values()), self._plan.partitions
        if max(counts.values()) > wanted:
            raise GrowthError(f"there are {max(counts.values())} partitions already; their number can only grow")
        marks = await self._marks(counts)
        if old == wanted and not marks:
            return None
        if not marks:
            await self._check(old)
        async with AsyncExitStack() as stack:
            await self._shut_out(stack, counts)
            if not marks:
                await self._check_letters()
                await self._check_drained()
            if MOVED not in marks:
                await self._add(stack, counts)
                if MOVING not in marks:
                    await self._check_bound()
                await self._regroup()
            await self._forward()
            await self._unmark({GROWN_KEY: b"%d" % wanted})
        return self._grown

    async def _add(self, stack: AsyncExitStack, counts: Mapping[str, int]) -> None:
        """Add partitions, under marks: as long as there are none workers may still have the journals back."""
        old, wanted = min(counts.values()), self._plan.partitions
        await self._mark(old, MARKED)
        if max(counts.values()) < wanted:
            await self._check_once_more()
        if old < wanted:
            await self._create(counts)
            await self._shut_out(stack, dict.fromkeys(counts, wanted))

    async def _regroup(self) -> None:
        """Move all rows where they belong."""
        await self._mark(self._plan.partitions, MOVING)
        for table in self._plan.tables:
            await self._prepare(table)
            await self._move(table)
        await self._mark(self._plan.partitions, MOVED)

    async def _marks(self, counts: Mapping[str, int]) -> set[bytes]:
        """Return what an earlier run has left in the journals."""
        heads = [
            await head(self._consumer, table, p) for table in self._plan.tables for p in range(counts[table.journal])
        ]
        return {each.mark for each in heads if each.mark is not None}

    async def _check(self, partitions: int) -> None:
        """Look whether everything can be moved, before anybody is shut out."""
        await self._check_letters()
        for table in self._plan.tables:
            for partition in range(partitions):
                found = await head(self._consumer, table, partition)
                if found.commit is None or (table.clocked and found.commit.cursor is None):
                    raise GrowthError(
                        f"{table.journal}[{partition}]: no worker has had this partition for as long as a tick: start"
                        " the workers, then run this again"
                    )
                _check_places(table, partition, found.rows, partitions)
        await self._check_drained()

    async def _check_letters(self) -> None:
        """A letter names its partition, and a replay goes there: its account would be in another one by then."""
        found = matching(await letters(self._plan.bootstrap, self._plan.names), Wanted())
        if found:
            named = [letter.name for letter in found[:NAMED]]
            more = [f"and {len(found) - NAMED:,} more"] if len(found) > NAMED else []
            raise GrowthError(
                f"dead letters are open ({len(found):,}), and after this a replay would go where their accounts were"
                " before. See: whimbrel dead-letters list; replay them and let the workers read them, or drop them (a"
                " parked account goes on being tried, whatever becomes of its letter), then run this again\n  "
                + "\n  ".join(named + more)
            )

    async def _check_drained(self) -> None:
        waiting = await self._waiting(lambda table: table.drained)
        if waiting:
            raise GrowthError(
                "not everything is worked off; pause whoever publishes, let the workers run until nothing of this is"
                " left, stop them, then run this again\n  " + "\n  ".join(waiting)
            )

    async def _check_once_more(self) -> None:
        """Look a last time for what was published, while nothing is changed yet."""
        try:
            await self._check_drained()
        except GrowthError:
            await self._unmark({})
            raise

    async def _check_bound(self) -> None:
        """Look for what only workers write, and cannot have written since they were shut out."""
        waiting = await self._waiting(lambda table: table.bound)
        if waiting:
            raise GrowthError(
                "something came after the workers were shut out that must be read where it lies; nothing was moved yet,"
                " and workers stay shut out. Find out what has written it, then run this again\n  "
                + "\n  ".join(waiting)
            )

    async def _waiting(self, topics_of: Callable[[Table], Sequence[str]]) -> list[str]:
        waiting = []
        for table, partition, commit in await self._commits():
            for (topic, _), begin, end in await unread(self._consumer, topics_of(table), partition, commit):
                waiting.append(f"{topic}[{partition}]: {end - begin:,} records are not processed yet")
            waiting += await unsent(self._consumer, partition, commit)
            if commit.cursor is not None and commit.cursor.after is not None:
                waiting.append(f"{table.journal}[{partition}]: a tick is half done")
        return waiting

    async def _commits(self) -> list[tuple[Table, int, Commit]]:
        """Return the commit record of every partition that has one."""
        counts, found = await _counts(self._plan), []
        for table in self._plan.tables:
            for partition in range(counts[table.journal]):
                commit = (await head(self._consumer, table, partition)).commit
                if commit is not None:
                    found.append((table, partition, commit))
        return found

    async def _shut_out(self, stack: AsyncExitStack, counts: Mapping[str, int]) -> None:
        """Fence every journal: a worker that still runs ends."""
        for table in self._plan.tables:
            for partition in range(counts[table.journal]):
                place = table.journal, partition
                if place not in self._writers:
                    transactional_id = f"{table.app}-journal-{partition}"
                    writer = JournalWriter(self._plan.bootstrap, *place, transactional_id, self._patience)
                    await stack.enter_async_context(fenced(writer))
                    self._writers[place] = writer

    async def _mark(self, partitions: int, mark: bytes) -> None:
        """From now on workers refuse these journals; a mark gives way to that of a later step alone."""
        for table in self._plan.tables:
            for partition in range(partitions):
                found = await head(self._consumer, table, partition)
                if found.written is not None and STEPS.index(found.mark) < STEPS.index(mark):
                    await self._append(table, partition, {MOVING_KEY: mark}, found.written)

    async def _create(self, counts: Mapping[str, int]) -> None:
        wanted = self._plan.partitions
        async with opened_admin(self._plan.bootstrap) as admin:
            new = {topic: NewPartitions(wanted) for topic, count in counts.items() if count < wanted}
            await admin.create_partitions(new, timeout_ms=round(CREATE_SECONDS * 1_000))
        deadline = asyncio.get_running_loop().time() + CREATE_SECONDS
        while min((await _counts(self._plan)).values()) < wanted:
            if asyncio.get_running_loop().time() > deadline:
                raise GrowthError(f"created, but not seen for {CREATE_SECONDS:.0f} s: run this again")
            await asyncio.sleep(LOOK_SECONDS)
        self._tell(f"{len(new)} topics have {wanted} partitions")

    async def _prepare(self, table: Table) -> None:
        """Give every partition of the table the same cursor, and every account its own clock where it was further."""
        commits = {partition: commit for each, partition, commit in await self._commits() if each is table}
        cursor = lowest(commits)
        for partition in range(self._plan.partitions):
            if partition not in commits:
                commit = first_commit(f"{self._plan.now:x}", dict.fromkeys(table.read, 0), cursor, commits)
                await self._append(table, partition, {MOVING_KEY: MOVING}, encode_commit(commit))
            elif table.clocked and commits[partition].cursor != cursor:
                await self._lower(table, partition, cursor)

    async def _lower(self, table: Table, partition: int, cursor: Cursor | None) -> None:
        """Write down how far each account is; only then may the cursor stand earlier."""
        found = await head(self._consumer, table, partition)
        if found.commit is None or found.written is None:
            return
        own = found.commit.cursor
        clocks = {} if own is None else dict(with_own_clocks(found.rows, own.instant + 1))
        for batch in batches(clocks, bytes.decode):
            await self._append(table, partition, batch, found.written)
        await self._append(table, partition, {}, encode_commit(replace(found.commit, cursor=cursor)))

    async def _move(self, table: Table) -> None:
        """Write rows where they belong, then take them away where they were; one partition after the other."""
        partitions = self._plan.partitions
        commits = {
            partition: encode_commit(commit) for each, partition, commit in await self._commits() if each is table
        }
        for partition in range(partitions):
            rows = (await head(self._consumer, table, partition)).rows
            moving = misplaced(rows, table.owner_of, partition, partitions)
            for there, theirs in sorted(moving.items()):
                await self._write(table, there, theirs, commits[there])
            await self._write(
                table, partition, {key: None for each in moving.values() for key in each}, commits[partition]
            )
            self._note(table, moving)
        for partition in range(partitions) if table.clocked else ():
            rows = (await head(self._consumer, table, partition)).rows
            await self._write(table, partition, {TOTALS_ROW: pack(totals_of(rows))}, commits[partition])
        self._tell(f"{table.journal}: {self._grown.rows:,} rows are where they belong")

    def _note(self, table: Table, moving: Mapping[int, Mapping[bytes, bytes]]) -> None:
        for rows in moving.values():
            self._grown.rows += len(rows)
            self._grown.accounts.update(filter(None, map(table.owner_of, rows)))

    async def _write(self, table: Table, partition: int, changes: Changes, commit: bytes) -> None:
        """Append changes with the partition's commit record as it stands."""
        for batch in batches(changes, lambda key: table.owner_of(key) or ""):
            await self._append(table, partition, batch, commit)

    async def _forward(self) -> None:
        """Send on what was published meanwhile, where it lies in a partition that its account has left.

        A position passes over it only once its copy is acknowledged: broken off in between it is copied again, and
        known as the event that it is. All ends are asked for first: copies lie behind them, and are to be read.
        """
        lanes = [
            (table, partition, commit, await unread(self._consumer, table.forwarded, partition, commit))
            for table, partition, commit in await self._commits()
        ]
        async with opened_producer(self._plan.bootstrap) as producer:
            forwarding = Forwarding(
                self._consumer, producer, self._patience, self._plan.names.replays, self._plan.partitions
            )
            for table, partition, commit, left in lanes:
                passed = {
                    each.here.topic: each.end for each in left if await forwarding.copied(each, go_on=self._plan.go_on)
                }
                if passed:
                    moved = replace(commit, positions=commit.positions | passed)
                    await self._append(table, partition, {}, encode_commit(moved))
        for topic, count in forwarding.copies.items():
            self._tell(f"{topic}: {count:,} records came meanwhile; copies of them are where their accounts are now")

    async def _unmark(self, said: Changes) -> None:
        """Let workers have the journals again."""
        for table in self._plan.tables:
            for partition in range((await _counts(self._plan))[table.journal]):
                found = await head(self._consumer, table, partition)
                if found.mark is not None and found.written is not None:
                    await self._append(table, partition, {MOVING_KEY: None, **said}, found.written)

    async def _append(self, table: Table, partition: int, changes: Changes, commit: bytes) -> None:
        await append(self._writers[table.journal, partition], changes, commit)


def _check_places(table: Table, partition: int, rows: Iterable[bytes], partitions: int) -> None:
    """Hold the journal against the partitioner: of another one it is not known where facts will lie."""
    for owner in {table.owner_of(key) for key in rows} - {None}:
        there = partition_of(owner or "", partitions)
        if there != partition:
            raise GrowthError(
                f"{table.journal}[{partition}]: Kafka's default partitioner (murmur2 of the key) puts {owner} into"
                f" partition {there}: whoever publishes uses another one, and where its facts will lie cannot be known"
            )


async def _counts(plan: Plan) -> dict[str, int]:
    found = await partition_counts(plan.bootstrap)
    for topic in plan.topics:
        if topic not in found:
            raise TopicMissingError(topic)
    return {topic: found[topic] for topic in plan.topics}
