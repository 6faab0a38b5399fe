"""Worker processes by name, and their supervisor.

`Workers(directory, settings)` starts workers as `python -m app worker APP`, each with `directory/NAME` as its state and
`directory/NAME.log` as its log. `settings` are WHIMBREL_* variables for all of them, `start(..., WHIMBREL_X="…")` adds
those of one; a name started again keeps its own. `command` replaces `python -m app worker`: tests.faults.worker, which
installs failpoints, is `("tests.faults.worker",)`.

Faults: `kill`, `term`, `stop`, `cont`. `supervise` (a task) starts whatever has ended again, as a supervisor does, and
keeps a list of ends with exit status and last log line; what `leave` or `rest` has ended stays away. `finish` ends all
of them and names those that hang. `unexplained(ends)` names what has ended otherwise than it was struck or asked to, or
for another reason than those that the scenario expects: see reasons.py.
"""

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from urllib.error import HTTPError
from urllib.request import urlopen

from app.dev.process import Process
from tests.faults.reasons import INTRUDED, NEVER
from tests.kafka.waiting import eventually

APP_COMMAND = ("app", "worker")
LOOK_SECONDS = 0.1
AGAIN_SECONDS = 1.0
"""Before a worker that has ended by itself is started again."""
END_SECONDS = 12.0
"""A worker promises to end within 10 s of SIGTERM."""
READY = "ready"
STARTS = "INFO app.streams.worker: starts"
ENDS = "CRITICAL app.streams.worker: ends: "
ASSIGNED, RUNS = "assigned partitions=", re.compile(r"lane runs.*partition=(\d+)")
STOPPED, FAILED = 0, 1
KILLED, TERMINATED = 128 + signal.SIGKILL, 128 + signal.SIGTERM


@dataclass
class Worker:
    """A named worker; `wanted` says whether the supervisor starts it again."""

    name: str
    app: str
    environment: dict[str, str]
    process: Process
    wanted: bool = True
    begins: int = 0
    """Where its life begins in its log."""
    asked: float | None = None
    """When it was asked to end; the time for which it was stopped after that does not count."""
    stopped: float = 0.0
    """When it was stopped last."""
    killed: bool = False
    noted: bool = False
    """Whether its end is in the list of ends."""
    goes_on: int = 0
    """How often it was let go on after it had been stopped."""

    @property
    def strikes(self) -> int:
        """How often it was amid something that it did not bring to an end: stopped, or ended in no good order."""
        in_good_order = self.process.running or self.process.wait() in {STOPPED, TERMINATED}
        return self.goes_on + (not in_good_order)


@dataclass(frozen=True)
class Ended:
    """A worker's end: `status` is 128 + n where signal n ended it; `last` the last lines of its log.

    Of one that has ended by itself these begin with what it says of that: `… ends: REASON`.
    """

    name: str
    status: int
    last: str
    seconds: float | None = None
    """How long after it was asked to end; None: it was not."""
    killed: bool = False
    """Whether it was sent SIGKILL."""
    begun: bool = False
    """Whether it had said that it starts: SIGTERM kills none that has."""

    def explained(self, ends: str = NEVER) -> bool:
        """Whether it was killed, was asked to end and did so in good order, or gives one of the reasons `ends`."""
        asked = self.seconds is not None
        if self.status == FAILED:
            said = ENDS in self.last or self.last.rpartition("\n")[2].startswith("error: ")
            return said and re.search(ends, self.last) is not None and "Traceback" not in self.last
        return {KILLED: self.killed, TERMINATED: asked and not self.begun, STOPPED: asked}.get(self.status, False)

    @property
    def in_time(self) -> bool:
        """Whether it ended as soon as it promises to, where it was asked."""
        return self.seconds is None or self.seconds <= END_SECONDS


@dataclass
class Workers:
    """See the module."""

    directory: Path
    settings: Mapping[str, str]
    command: Sequence[str] = APP_COMMAND
    static: bool = True
    """Members of their group under their names, or without one."""
    ended: list[Ended] = field(default_factory=list)
    _workers: dict[str, Worker] = field(default_factory=dict)
    _lives: list[Worker] = field(default_factory=list)
    """All that ever were, of which `_workers` has the newest of each name."""
    _changing: Lock = field(default_factory=Lock)

    def start(
        self,
        name: str,
        app: str = "triggers",
        command: Sequence[str] | None = None,
        within: Sequence[str] = (),
        **environment: str,
    ) -> None:
        """Start a worker, with the variables of an earlier one of that name.

        `command` counts for this life alone, and so does `within`, a command that executes the one that follows it in
        surroundings of its own.
        """
        earlier = self._workers.get(name)
        own = {**(earlier.environment if earlier else {}), **environment}
        begins = self.log(name).stat().st_size if self.log(name).exists() else 0
        process = Process(
            [*within, sys.executable, "-m", *(command or self.command), app],
            log=self.log(name),
            environment={**os.environ, **self.settings, **self._places(name), **own},
        )
        self._workers[name] = Worker(name, app, own, process, begins=begins)
        self._lives.append(self._workers[name])

    def _places(self, name: str) -> dict[str, str]:
        return {
            "WHIMBREL_STATE": str(self.state(name)),
            "WHIMBREL_WORKER": name if self.static else "",
        }

    def __getitem__(self, name: str) -> Worker:
        return self._workers[name]

    def names(self, app: str | None = None) -> list[str]:
        """Return the names of the workers that are wanted, of one app or of all."""
        return [each.name for each in self._workers.values() if each.wanted and app in {None, each.app}]

    def strikes(self, app: str) -> int:
        """Return how often any of the app's workers was stopped, or ended otherwise than in good order."""
        return sum(life.strikes for life in self._lives if life.app == app)

    @property
    def states(self) -> list[Path]:
        """The state directories of all workers that ever were."""
        return [self.state(name) for name in self._workers]

    def state(self, name: str) -> Path:
        return self.directory / name

    def log(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def logged(self, name: str) -> str:
        """Return the log of all lives of a worker."""
        return self.log(name).read_text(errors="replace") if self.log(name).exists() else ""

    def life(self, name: str) -> str:
        """Return the log of a worker's newest life."""
        return self.log(name).read_bytes()[self._workers[name].begins :].decode(errors="replace")

    def lanes(self, name: str) -> set[int]:
        """Return the partitions whose lanes run in a worker, as it logs; it is at work if there are any."""
        alive = self._workers[name].process.running
        return {int(each) for each in RUNS.findall(self.life(name).rpartition(ASSIGNED)[2])} if alive else set()

    def ready(self, name: str) -> bool:
        """Whether the worker says so: it is in its group, and all of its partitions are restored."""
        return self.readiness(name) == READY

    def readiness(self, name: str) -> str:
        """Return what the worker says of that: `ready`, or why it is not; nothing where it does not answer."""
        port = re.search(r"metrics_port=(\d+)", self.life(name))
        try:
            answer = None if port is None else urlopen(f"http://127.0.0.1:{port[1]}/readyz", timeout=5)
        except HTTPError as unready:
            answer = unready
        except OSError:
            answer = None
        return "" if answer is None else str(answer.read().decode().strip())

    async def unready(self, seconds: float) -> list[str]:
        """Return a line for each worker that is wanted and does not become ready within so many seconds."""
        return [line for line in await asyncio.gather(*(self._unready(name, seconds) for name in self.names())) if line]

    async def _unready(self, name: str, seconds: float) -> str:
        with suppress(TimeoutError):
            await eventually(partial(asyncio.to_thread, self.ready, name), seconds)
            return ""
        said = await asyncio.to_thread(self.readiness, name)
        return f"{name} is not ready after {seconds:.0f} s: {said or 'it does not answer'}"

    def logs(self) -> str:
        """Return the ends of all logs, for a failure's message."""
        return "\n".join(f"{name}:\n{self.logged(name)[-1500:]}" for name in self._workers)

    async def up(self, name: str) -> str:
        """Wait until the worker has a process, and return its name: what strikes shall hit."""
        while not self._workers[name].process.running:  # noqa: ASYNC110 - the supervisor tells nobody
            await asyncio.sleep(LOOK_SECONDS)
        return name

    def kill(self, name: str) -> None:
        """End a worker as a crash would."""
        self._workers[name].killed = True
        self._workers[name].process.kill()

    def term(self, name: str) -> None:
        """Ask a worker to end; the supervisor starts it again."""
        worker = self._workers[name]
        worker.asked = worker.asked or time.monotonic()
        worker.process.send(signal.SIGTERM)

    def stop(self, name: str) -> None:
        """Let a worker stand still."""
        self._workers[name].stopped = time.monotonic()
        self._workers[name].process.send(signal.SIGSTOP)

    def cont(self, name: str) -> None:
        """Let it go on."""
        worker = self._workers[name]
        if worker.asked is not None:
            worker.asked += time.monotonic() - max(worker.asked, worker.stopped)
        worker.process.send(signal.SIGCONT)
        worker.goes_on += 1

    async def leave(self, name: str) -> None:
        """End a worker in good order, for good; raise AssertionError where it does not end in time."""
        worker = await asyncio.to_thread(self._given_up, name)
        self.term(name)
        said = await asyncio.to_thread(self._ends_badly, worker, time.monotonic() + END_SECONDS)
        assert not said, said

    def rest(self, name: str) -> None:
        """Kill a worker, for good."""
        self._given_up(name)
        self.kill(name)

    def _given_up(self, name: str) -> Worker:
        """Return the worker that no supervisor starts again from now on."""
        with self._changing:
            worker = self._workers[name]
            worker.wanted = False
        return worker

    async def supervise(self) -> None:
        """Start again whatever has ended, on and on."""
        while True:
            ended = [worker for worker in self._workers.values() if worker.wanted and not worker.process.running]
            await asyncio.gather(*map(self._again, ended))
            await asyncio.sleep(LOOK_SECONDS)

    async def _again(self, worker: Worker) -> None:
        status = self._note(worker)
        if status == FAILED:
            await asyncio.sleep(AGAIN_SECONDS)
        await asyncio.to_thread(self._restart, worker)

    def _restart(self, worker: Worker) -> None:
        with self._changing:
            if worker.wanted and self._workers[worker.name] is worker:
                self.start(worker.name, worker.app)

    def _note(self, worker: Worker) -> int:
        """Put an end on the list, unless it is there, and return its status."""
        status = worker.process.wait() or STOPPED
        if not worker.noted:
            worker.noted = True
            seconds = None if worker.asked is None else time.monotonic() - worker.asked
            life = self.life(worker.name)
            last = life[life.rfind(ENDS) :] if ENDS in life else life.rstrip()[-1_000:]
            self.ended.append(Ended(worker.name, status, last, seconds, worker.killed, STARTS in life))
        return status

    def unexplained(self, ends: str = NEVER) -> list[str]:
        """Return a line for each end that was nobody's doing and has none of the reasons `ends`, or took too long.

        Also for each word of an intrusion in any life's log, unless that is among the reasons.
        """
        silent = [
            f"{each.name} ended with {each.status} for no reason that was to be expected: {each.last}"
            for each in self.ended
            if not each.explained(ends)
        ]
        late = [f"{each.name} ended {each.seconds:.0f} s after SIGTERM" for each in self.ended if not each.in_time]
        intruded = [
            f"{name} was intruded upon: {line}"
            for name in self._workers
            for line in self._said(name).splitlines()
            if INTRUDED in line and not re.search(ends, line)
        ]
        return silent + late + intruded

    def _said(self, name: str) -> str:
        """Return the log of a worker's lives; lives of other runs may be before them, in the same directory."""
        begins = min(life.begins for life in self._lives if life.name == name)
        return self.log(name).read_bytes()[begins:].decode(errors="replace")

    def finish(self, seconds: float = END_SECONDS) -> list[str]:
        """End all in good order; return a line for each that did not end well, all of them within `seconds`.

        Of those that were wanted, one that has ended by itself since the supervisor looked is noted as it would have.
        """
        wanted = self.names()
        workers = [self._given_up(name) for name in list(self._workers)]
        running = [worker for worker in workers if worker.process.running]
        for worker in workers:
            if worker.name in wanted and worker not in running:
                self._note(worker)
        for worker in running:
            worker.process.send(signal.SIGCONT)
            self.term(worker.name)
        deadline = time.monotonic() + seconds
        return [said for worker in running if (said := self._ends_badly(worker, deadline))]

    def _ends_badly(self, worker: Worker, deadline: float) -> str:
        """Wait for a worker that was asked to end; return what is wrong with its end, if anything."""
        status = worker.process.wait(max(0.0, deadline - time.monotonic()))
        if status is None:
            worker.process.kill()
            return f"{worker.name} hangs: alive {time.monotonic() - (worker.asked or 0):.0f} s after SIGTERM"
        if status == STOPPED or (status == TERMINATED and STARTS not in self.life(worker.name)):
            return ""
        return f"{worker.name} ended with {status} at SIGTERM: {self.logged(worker.name)[-1_500:]}"

    def end(self) -> None:
        """Whatever happens, leave nothing behind."""
        for worker in map(self._given_up, list(self._workers)):
            if worker.process.running:
                worker.process.kill()
