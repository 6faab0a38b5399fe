"""One run: a load through real workers and a real SMTP server under faults, and the verdict.

    async with Run("kill -9", kafka.bootstrap, names, tmp_path, provider(seed())) as run:
        run.begin(triggers=3, senders=1)                # the workers
        playing = run.play(seconds=20)                  # a task that publishes the load
        await run.nemesis.storm({"kill": kill(run.workers)}, until=playing)
        await run.finish()                              # works off, ends the workers, verifies, asserts

`run.workers`, `run.relay`, `run.nemesis`, `run.watch`, `run.chance` are there to be used meanwhile; a keyword
WHIMBREL_X is a variable for all workers. No outcome may be unknown but of what senders were amid as they
were struck, and of what the SMTP server has kept to itself. No worker may end by itself but for the reasons that
the run is given (`ends`). The result's line is printed at the session's end (conftest.py). `Stage` is a run without
load and relay, for other apps and other verdicts.
"""

import asyncio
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from app import clock
from app.contract.instants import format_instant
from app.settings import load
from app.streams import config_apply, topics
from app.streams.app import REJOIN_SECONDS
from app.streams.names import Names
from tests.faults import evidence, verifier
from tests.faults.cluster import APP_COMMAND, Workers
from tests.faults.evidence import Evidence
from tests.faults.load import Load, Part
from tests.faults.nemesis import Nemesis
from tests.faults.reasons import NEVER
from tests.faults.relay import Relay
from tests.faults.results import Result, keep, this_session
from tests.faults.watch import Watch
from tests.kafka.waiting import eventually

PARTITIONS = 4
SESSION = 3.0
TAKE_OVER = SESSION + SESSION / 3 + REJOIN_SECONDS + 10.0
"""The most that a partition waits for its next owner: until the last one is taken for dead, for a member that lives and
does not join again, and to start and restore where much else goes on."""
STORM = 2 * TAKE_OVER
"""The same where strikes come in storms, and one falls amid the take-over that another has brought about; also where
who dies as it takes over is followed by one that does, too."""
SMTP_TIMEOUT = 0.5
FINAL_REPLY_SECONDS = 5.0
"""Ten times the timeout: see app.delivery.smtp."""
MOST_SAID = 20
MOST_QUOTED = 2_000


def seed() -> int:
    """Return the seed of this session's choices."""
    return int(os.environ.get("WHIMBREL_FAULT_SEED", "1"))


class Stage:
    """Workers over topics of their own, watched and supervised while the context lasts. `settings` are WHIMBREL_*."""

    def __init__(
        self,
        name: str,
        bootstrap: str,
        names: Names,
        directory: Path,
        *,
        partitions: int = PARTITIONS,
        static: bool = True,
        command: Sequence[str] = APP_COMMAND,
        ends: str = NEVER,
        stall: float = TAKE_OVER,
        **settings: str,
    ) -> None:
        """`ends` is a pattern: for what reasons workers may end by themselves (reasons.py).

        `stall` is for how long a partition may stand still, beside what is taken away from all (`without`).
        """
        self.name = name
        self.bootstrap = bootstrap
        self.names = names
        self.seed = seed()
        self.chance = random.Random(f"{name} {self.seed}")
        self.nemesis = Nemesis(f"{name} {self.seed}")
        self.watch = Watch(bootstrap, names)
        own = {
            "WHIMBREL_KAFKA": bootstrap,
            "WHIMBREL_PREFIX": names.prefix,
            "WHIMBREL_SESSION_SECONDS": f"{SESSION:.0f}",
        }
        self.workers = Workers(directory, own | settings, command, static)
        self._away = 0.0
        self._partitions = partitions
        self._ends = ends
        self._stall = stall
        self._concluded: Result | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._begun = time.monotonic()

    async def __aenter__(self) -> Self:
        await topics.create(self.bootstrap, self.names, self._partitions, None)
        self.beside(self.watch.run())
        self.beside(self.workers.supervise())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self.workers.end)
        if error is not None:
            sys.stdout.write(self.workers.logs())  # pytest shows it
        self._keep(error)

    def beside(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Do something beside; what it raises, `settle` raises."""
        task = asyncio.create_task(work)
        self._tasks.append(task)
        return task

    @contextmanager
    def without(self) -> Iterator[None]:
        """Let partitions stand still for as much longer as this context lasts: what everybody waits for is away."""
        begun = time.monotonic()
        yield
        self._away += time.monotonic() - begun

    async def wind_up(self, seconds: float = 120.0) -> list[str]:
        """Work off, hear from every worker that it is ready, and end all; return what is wrong."""
        wrong = await self.settle(seconds)
        wrong += await self.workers.unready(TAKE_OVER)
        return wrong + await asyncio.to_thread(self.workers.finish)

    async def all_lanes_run(self, *apps: str, seconds: float = 2 * TAKE_OVER) -> None:
        """Wait until the lanes of all partitions run, of these apps or of all."""
        workers = self.workers

        async def all_run() -> bool:
            wanted = apps or {workers[name].app for name in workers.names()}
            return all(
                sum(len(workers.lanes(name)) for name in workers.names(app)) == self._partitions for app in wanted
            )

        await eventually(all_run, seconds)

    async def settle(self, seconds: float = 120.0) -> list[str]:
        """Wait until all that was published is worked off; return what is not after `seconds`."""
        idle = asyncio.create_task(self.watch.idle(seconds))
        while not idle.done():
            await asyncio.wait([idle, *(task for task in self._tasks if not task.done())], timeout=1)
            for task in self._tasks:
                if task.done():
                    task.result()
        return await idle

    def result(self, wrong: list[str], **figures: Any) -> Result:
        """Return the result, with `figures` of Result."""
        stall, most = self.watch.longest_stall, self._stall + self._away
        if stall > most:
            wrong = [*wrong, f"a partition stood still for {stall:.0f} s, more than the {most:.0f} that bound it"]
        return Result(
            name=self.name,
            seed=self.seed,
            at=format_instant(clock.now()),
            seconds=round(time.monotonic() - self._begun, 1),
            faults=self.nemesis.counts,
            stall=round(stall, 1),
            ends=dict(Counter(str(each.status) for each in self.workers.ended)),
            wrong=wrong + self.workers.unexplained(self._ends),
            **figures,
        )

    def conclude(self, result: Result) -> Result:
        """Take it for the result; raise AssertionError where it is wrong."""
        self._concluded = result
        assert not result.wrong, "\n".join([result.line(), *result.wrong[:MOST_SAID]])
        return result

    def _keep(self, error: BaseException | None) -> None:
        """Keep the result, of a run that has failed before it had one, too, and what failed after it."""
        if self._concluded is None and error is None:
            return  # what it has made is for another run to judge
        result = self._concluded or self.result([], facts=0, decisions=0)
        if error is not None and not result.wrong:
            result.wrong = [repr(error)[:MOST_QUOTED]]
        keep(result)
        this_session.append(result)


class Run(Stage):
    """A stage with a load to play and an SMTP server: see the module."""

    def __init__(self, name: str, bootstrap: str, names: Names, directory: Path, load: Load, **options: Any) -> None:
        """`options` are Stage's."""
        external = {"WHIMBREL_TICKS": "external", "WHIMBREL_SMTP_TIMEOUT": f"{SMTP_TIMEOUT}"}
        super().__init__(name, bootstrap, names, directory, **{**external, "WHIMBREL_RETRY_SECONDS": "1", **options})
        self.load = load
        self.relay = Relay(random.Random(f"relay {name} {self.seed}"), late=FINAL_REPLY_SECONDS + 1)

    async def __aenter__(self) -> Self:
        await self.relay.__aenter__()
        self.workers.settings = {**self.workers.settings, "WHIMBREL_SMTP_PORT": str(self.relay.port)}
        await super().__aenter__()
        await config_apply.apply(self.bootstrap, self.names.config, self.load.config, as_written=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        await self.relay.__aexit__(kind, error, trace)

    def begin(self, triggers: int = 2, senders: int = 1) -> None:
        """Start workers: t1, t2, … and s1, s2, …"""
        for app, letter, count in (("triggers", "t", triggers), ("sender", "s", senders)):
            for number in range(1, count + 1):
                self.workers.start(f"{letter}{number}", app)

    def play(self, seconds: float, part: Part | None = None) -> "asyncio.Task[None]":
        """Publish the load, or a part of it, spread over `seconds`."""
        whole = self.load.played if part is None else part
        return self.beside(self.load.publish(self.bootstrap, self.names, whole, seconds))

    async def becomes(self, share: float, seconds: float = 60.0) -> None:
        """Wait until that share of the load's decisions is written."""
        await self._have_decided(share * len(self.load.expected), seconds)

    async def decides(self, more: int = 1, seconds: float = 60.0) -> None:
        """Wait until so many more of the load's decisions are written."""
        await self._have_decided(len(self.watch.decided) + more, seconds)

    async def _have_decided(self, count: float, seconds: float) -> None:
        async def there() -> bool:
            return len(self.watch.decided) >= count

        await eventually(there, seconds)

    async def finish(self, seconds: float = 120.0) -> Result:
        """Work off, end the workers, verify and keep the result; raise AssertionError where it is wrong."""
        await self.relay.behave("well")
        wrong = await self.wind_up(seconds)
        found = await evidence.gather(self.bootstrap, self.names, self.workers.states)
        return self.conclude(self._judged(found, wrong))

    def too_many(self, unknown: int) -> list[str]:
        """Say so where more outcomes are unknown than there is reason for.

        That are what the relay kept to itself, and all that senders can have been amid when they were struck: an
        answer is submitted to its lane before its connection serves another, so a lane is in doubt about no more.
        """
        amid = load(self.workers.settings).smtp_concurrency * self._partitions
        most = self.relay.unsure + amid * self.workers.strikes("sender")
        return [f"{unknown} unknown outcomes where there is reason for {most} at the most"] if unknown > most else []

    def _judged(self, found: Evidence, wrong: list[str]) -> Result:
        missing, extra = verifier.decisions(self.load.expected, found.decisions)
        mails = verifier.mails(
            self.load.expected, self.relay.accepted, found.deliveries, found.attempted, self.load.instead
        )
        differences = [
            line for each in found.state for line in verifier.state(each.place, each.journal, each.copies, each.index)
        ]
        wrong += [f"missing: {each.decode()}" for each in missing] + [f"extra: {each.decode()}" for each in extra]
        wrong += mails.lost + mails.doubled + mails.wrong + differences + found.wrong + self.too_many(mails.unknown)
        wrong += verifier.letters(self.load.broken, found.dead, self.load.beside)
        return self.result(
            wrong,
            facts=self.load.facts,
            decisions=len(self.load.expected),
            found=len(found.decisions),
            missing=missing.total(),
            extra=extra.total(),
            mails=mails.expected,
            accepted=mails.accepted,
            lost=len(mails.lost),
            doubled=len(mails.doubled),
            unknown=mails.unknown,
            dead=len(found.dead),
            repeats=found.repeats,
            differences=len(differences),
        )
