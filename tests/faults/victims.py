"""Workers that strike themselves, one after the other, beside one that takes over each time.

    strikes = Strikes(run, "triggers", "kill", parts.publish)
    await strikes.begin()            # the worker that takes over, and something to take over
    await strikes.at("append-done")  # a worker comes, gets work and strikes itself there
    strikes.struck                   # the points that were really reached

A worker that is killed is followed by the next one; one that stands still is let go on when another runs the lanes of
all partitions, which is beyond its session, and must then end by itself or work as any other.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable

from tests.faults.cluster import ENDS, FAILED, KILLED, STOPPED, Worker
from tests.faults.load import Part
from tests.faults.reasons import STOOD_STILL
from tests.faults.run import PARTITIONS, SESSION, Run
from tests.faults.striking import FAILPOINT, STRUCK, Failpoint
from tests.kafka.waiting import LOOK_SECONDS

COMMAND = ("tests.faults.worker",)
PART_SECONDS = 0.5
PATIENCE = 5.0
"""Seconds for work to bring a worker to its failpoint; then it gets more."""
TIMES = 12
COMES = 30.0
"""Seconds for a worker to start, to be assigned its partitions, to be taken for dead."""
RUNS = re.compile(r"lane runs.*partition=(\d+)")

Work = Callable[[], Awaitable[bool]]


class Parts:
    """The load, part by part, to whoever asks for more."""

    def __init__(self, run: Run, count: int) -> None:
        self._run = run
        self._parts = iter(run.load.parts(*(number / count for number in range(1, count))))
        self._turn = asyncio.Lock()

    async def publish(self) -> bool:
        """Publish the next part; say whether there was one."""
        async with self._turn:
            part: Part | None = next(self._parts, None)
            if part is not None:
                await self._run.play(PART_SECONDS, part)
        return part is not None

    async def rest(self) -> None:
        while await self.publish():
            pass


class Strikes:
    """One app's victims; `action` is kill or stop, `more` gives them work, and says whether it has."""

    def __init__(self, run: Run, app: str, action: str, more: Work, **environment: str) -> None:
        self.struck: list[str] = []
        self._run = run
        self._app = app
        self._action = action
        self._more = more
        self._environment = environment
        self._told = run.workers.directory / f"{app}.struck"
        self._heir = f"{app}-heir"

    async def begin(self, parts: int = 4) -> None:
        """Start the worker that takes over, and give every partition a journal by so many parts of the load.

        Those that come may have the same partitions one after the other, and do nothing there but die.
        """
        self._run.workers.start(self._heir, self._app)
        await self._run.all_lanes_run(self._app, seconds=COMES)
        for _ in range(parts):
            await self._more()

    async def at(self, point: str, work: Work | None = None) -> None:
        """Have a worker strike itself there, with other work than usual."""
        name = f"{self._app}-new" if point == "open-restore-amid" else f"{self._app}-victim"
        failpoint = str(Failpoint(point, self._action))
        worker = self._start(name, failpoint)
        mark = self._length(name)
        await self._until(lambda: self._has_struck(failpoint) or self._lanes(name, mark), COMES, f"{name} comes")
        if point.startswith("revoke-"):
            self._start(f"{self._app}-guest", "")
        for _ in range(TIMES):
            if self._has_struck(failpoint) or not await (work or self._more)():
                break
            await self._within(lambda: self._has_struck(failpoint), PATIENCE)
        assert self._has_struck(failpoint), f"{self._app} never came by {point}\n{self._run.workers.logs()}"
        self.struck.append(point)
        self._run.nemesis.note(f"{self._action} at {point}", name)
        if point.startswith("revoke-"):
            self._run.workers.rest(f"{self._app}-guest")
        if self._action == "kill":
            await self._until(lambda: not worker.process.running, COMES, f"{name} dies")
            assert worker.process.wait() == KILLED
        else:
            await self._stand_still(worker)

    async def _stand_still(self, worker: Worker) -> None:
        """Let another take over, then let it go on; it ends by itself, or is asked to."""
        workers, name = self._run.workers, worker.name
        beyond, own = time.monotonic() + SESSION, self._length(name)

        def another_takes_over() -> bool:
            return time.monotonic() > beyond and len(workers.lanes(self._heir)) == PARTITIONS

        await self._until(another_takes_over, COMES, "another takes over")
        workers.cont(name)
        await self._more()
        await self._until(
            lambda: not worker.process.running or self._lanes(name, own), COMES, f"{name} goes on or ends"
        )
        workers.term(name)
        await self._until(lambda: not worker.process.running, COMES, f"{name} ends")
        status = worker.process.wait()
        assert status in {STOPPED, FAILED}, workers.logs()
        assert status == STOPPED or re.search(f"{ENDS}.*({STOOD_STILL})", workers.logged(name)[own:]), workers.logs()

    def _start(self, name: str, failpoint: str) -> Worker:
        workers = self._run.workers
        workers.start(name, self._app, **{FAILPOINT: failpoint, STRUCK: str(self._told)}, **self._environment)
        workers[name].wanted = False  # no supervisor starts it again
        return workers[name]

    def _has_struck(self, failpoint: str) -> bool:
        return self._told.exists() and f"{failpoint} " in self._told.read_text()

    def _length(self, name: str) -> int:
        return len(self._run.workers.logged(name))

    def _lanes(self, name: str, mark: int) -> set[str]:
        """Return the partitions whose lanes have begun to run since its log was `mark` long."""
        return set(RUNS.findall(self._run.workers.logged(name)[mark:]))

    async def _until(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        assert await self._within(condition, seconds), f"not within {seconds} s: {what}\n{self._run.workers.logs()}"

    async def _within(self, condition: Callable[[], object], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True
