"""The lanes of the partitions that this worker owns: opened at an assignment, fed by the consumer, closed in time."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from app import metrics
from app.engine.inputs import Fetch
from app.engine.lane import Lane
from app.errors import WhimbrelError
from app.streams.journal import Confirm
from app.streams.opening import Opening, OpenLane

log = logging.getLogger(__name__)

OPENED_AT_ONCE: Final = 8
"""Each lane that opens has connections of its own, and must let go of them in time when its partition goes."""
REVOKE_SECONDS: Final = 6.0
"""How long lanes may take to finish their batch before their partitions go."""


class AssignmentError(WhimbrelError):
    """The group's assignment cannot be worked with."""

    def __init__(self, partition: int, missing: set[str], beyond: set[str]) -> None:
        """Name the topics without which the partition was assigned, and what brings them back; or those of others."""
        super().__init__(
            f"partition {partition} was assigned without {', '.join(sorted(missing))}: the topic is gone, or has fewer"
            " partitions than the others; whimbrel topics create makes it, or says what is wrong"
            if missing
            else f"partition {partition} was assigned with {', '.join(sorted(beyond))}, which this worker does not read"
        )


class Lanes:
    """Opens, feeds and closes lanes. What goes wrong is handed to `fail`, which ends the process."""

    def __init__(self, opening: Opening, fail: Callable[[BaseException], None]) -> None:
        """Open lanes with `opening`."""
        self._opening = opening
        self.fail = fail
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._open: dict[int, OpenLane] = {}
        self._seeks: dict[tuple[str, int], int] = {}
        self._closing = asyncio.Lock()
        self._joined = self._over = False
        self._at_once = asyncio.Semaphore(OPENED_AT_ONCE)

    @property
    def topics(self) -> tuple[str, ...]:
        """What the consumer subscribes to."""
        return self._opening.topics

    @property
    def running(self) -> Mapping[int, Lane]:
        """The lanes that are open, by partition."""
        return {partition: each.lane for partition, each in self._open.items()}

    @property
    def ready(self) -> bool:
        """Say whether the group has assigned its partitions, and the lane of each is open."""
        return self._joined and len(self._open) == len(self._tasks)

    def wanted(self) -> set[tuple[str, int]]:
        """Return the (topic, partition)s to fetch from."""
        return {
            (topic, partition)
            for partition, each in self._open.items()
            for topic in self.topics
            if each.lane.wants(topic)
        }

    def take_seeks(self) -> dict[tuple[str, int], int]:
        """Return the positions that the consumer must go to before it fetches again."""
        seeks, self._seeks = self._seeks, {}
        return seeks

    def feed(self, partition: int, fetch: Fetch) -> None:
        """Hand a fetch to its lane, where the partition still has one."""
        each = self._open.get(partition)
        if each is None:
            return
        gap = each.lane.feed(fetch)
        if gap is not None:
            log.warning(
                "a fetch does not begin where the last one ended; reading again",
                extra={"topic": fetch.topic, "partition": partition, "expected": gap, "got": fetch.start},
            )
            self._seeks[fetch.topic, partition] = gap
        if fetch.stable is not None:
            metrics.LAG.labels(fetch.topic, partition).set(fetch.stable - each.lane.positions.get(fetch.topic, 0))

    def assigned(self, assignment: Iterable[tuple[str, int]], confirm: Confirm) -> None:
        """Open a lane for each partition, in tasks of their own: the group waits for nobody's restore."""
        topics_of: dict[int, set[str]] = {}
        for topic, partition in assignment:
            topics_of.setdefault(partition, set()).add(topic)
        self._joined = True
        metrics.REBALANCES.inc()
        log.info("assigned", extra={"partitions": sorted(topics_of)})
        if self._over:
            return
        for partition, topics in sorted(topics_of.items()):
            if topics != (wanted := set(self.topics)):
                self.fail(AssignmentError(partition, wanted - topics, topics - wanted))
                return
            self._tasks[partition] = asyncio.create_task(self._run(partition, confirm), name=f"lane-{partition}")

    async def end(self) -> None:
        """Close for good."""
        self._over = True
        await self.close()

    async def close(self) -> None:
        """End every lane at the end of its batch, and release its database; end the process where that takes long."""
        try:
            # A worker may be asked to end while the group takes its partitions away.
            async with asyncio.timeout(REVOKE_SECONDS), self._closing:
                await asyncio.gather(*(self._end(partition) for partition in list(self._tasks)))
        except TimeoutError:
            self.fail(WhimbrelError(f"lanes did not finish within {REVOKE_SECONDS:.0f} s of being revoked"))
        except Exception as error:  # noqa: BLE001 - the group's client would only log it, and this worker fall silent
            self.fail(error)

    async def _run(self, partition: int, confirm: Confirm) -> None:
        begun = asyncio.get_running_loop().time()
        try:
            async with self._at_once:
                each = await self._opening.open(partition, confirm)
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # a client that was being stopped has swallowed it
                await each.close()
                return
            self._seeks |= {(topic, partition): position for topic, position in each.lane.positions.items()}
            self._open[partition] = each
            metrics.PARTITIONS.set(len(self._open))
            metrics.RESTORE_SECONDS.observe(asyncio.get_running_loop().time() - begun)
            log.info("lane runs", extra={"partition": partition})
            await each.lane.run()
        except Exception as error:  # noqa: BLE001 - whatever it is, the process ends with it
            self.fail(error)

    async def _end(self, partition: int) -> None:
        task = self._tasks[partition]
        each = self._open.get(partition)
        if each is None:
            task.cancel()
        else:
            await each.lane.stop()
        await asyncio.wait([task])
        if each is not None:
            await each.close()
            del self._open[partition]
            self._forget_gauges(partition)
        del self._tasks[partition]
        metrics.PARTITIONS.set(len(self._open))

    def _forget_gauges(self, partition: int) -> None:
        """What another worker shows from now on is not shown here."""
        metrics.CURSOR_BEHIND.remove(partition)
        for topic in self.topics:
            metrics.LAG.remove(topic, partition)
