"""What strikes: named faults, each with a seeded choice of its victims, each strike recorded.

A fault is a coroutine function that is given a source of chance, strikes, returns when its strike is over, and says
whom it has hit: `async def fault(chance: random.Random) -> str`. Builders here make those that most scenarios need:

    kill(workers), term(workers), stop(workers, seconds)          one of the workers, or of `app`'s
    kill_broker(broker), stop_broker(broker, seconds)             a DevKafka of the test's own
    trouble(relay, moods, seconds)                                the SMTP server's moods, see relay.py

`Nemesis(seed).storm({"kill": kill(workers), …}, until=task, every=(1, 4))` strikes with one after the other, at random,
until `task` is done; two storms may rage at once. `strike("kill", kill(workers))` strikes once. `counts` says how often
each has struck, `missed` which of them have struck no worker at work.
"""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass

from app.dev.kafka import DevKafka
from tests.faults.cluster import Workers
from tests.faults.relay import Mood, Relay
from tests.kafka.waiting import eventually

AT_WORK = " at work"
"""Stands behind a victim's name of which a lane ran."""
PATIENCE = 5.0
"""Seconds in which a victim may come to work; then it is struck as it is: who is only starting is a victim, too."""

Fault = Callable[[random.Random], Awaitable[str]]


@dataclass(frozen=True)
class Strike:
    """What has struck whom, when (seconds since the nemesis was made)."""

    seconds: float
    what: str
    whom: str


class Nemesis:
    """Strikes, and keeps a record. Each storm's choices follow from `seed`; the instants are the machine's."""

    def __init__(self, seed: str) -> None:
        self.strikes: list[Strike] = []
        self._seed = seed
        self._chance = random.Random(seed)
        self._begun = time.monotonic()

    @property
    def counts(self) -> dict[str, int]:
        """Return how often each fault has struck."""
        return dict(Counter(each.what for each in self.strikes))

    def missed(self, *whats: str) -> list[str]:
        """Return which of these have struck no worker at work."""
        return [what for what in whats if not self.at_work(what)]

    def at_work(self, what: str) -> list[str]:
        """Return whom it has struck at work."""
        return [each.whom for each in self.strikes if each.what == what and AT_WORK in each.whom]

    async def strike(self, what: str, fault: Fault, chance: random.Random | None = None) -> None:
        """Strike once."""
        seconds = time.monotonic() - self._begun
        self.strikes.append(Strike(seconds, what, await fault(chance or self._chance)))

    def note(self, what: str, whom: str) -> None:
        """Record what a scenario did by itself."""
        self.strikes.append(Strike(time.monotonic() - self._begun, what, whom))

    async def storm(
        self, faults: Mapping[str, Fault], until: "asyncio.Task[None]", every: tuple[float, float] = (0.5, 2.5)
    ) -> None:
        """Strike with one fault after the other until a task is done, with pauses of `every` (least, most: seconds).

        Each strikes once before any strikes again.
        """
        chance = random.Random(f"{self._seed} {sorted(faults)}")
        names: list[str] = []
        while not until.done():
            await asyncio.wait([until], timeout=chance.uniform(*every))
            if not until.done():
                names = names or chance.sample(sorted(faults), len(faults))
                name = names.pop()
                await self.strike(name, faults[name], chance)
        await until


async def victim(workers: Workers, app: str | None, chance: random.Random) -> str:
    """Choose a worker, one of `app`'s or of all, and wait with patience until it is at work, or ready for it."""
    name = chance.choice(workers.names(app))

    async def is_up() -> bool:
        return bool(workers.lanes(name)) or await asyncio.to_thread(workers.ready, name)

    with suppress(TimeoutError):
        await eventually(is_up, PATIENCE)
    return await workers.up(name)


def as_it_is(workers: Workers, name: str) -> str:
    """Return the victim's name, and whether it is at work."""
    return name + AT_WORK if workers.lanes(name) else name


def kill(workers: Workers, app: str | None = None) -> Fault:
    """kill -9."""

    async def fault(chance: random.Random) -> str:
        name = await victim(workers, app, chance)
        whom = as_it_is(workers, name)
        await asyncio.to_thread(workers.kill, name)
        return whom

    return fault


def term(workers: Workers, app: str | None = None) -> Fault:
    """SIGTERM; over when the worker has ended, which `Workers.finish` and the supervisor look at."""

    async def fault(chance: random.Random) -> str:
        name = await victim(workers, app, chance)
        whom = as_it_is(workers, name)
        workers.term(name)
        return whom

    return fault


def stop(
    workers: Workers,
    seconds: Sequence[float],
    app: str | None = None,
    watched: Callable[[str], AbstractContextManager[object]] = nullcontext,
) -> Fault:
    """SIGSTOP for one of `seconds`, then SIGCONT; all that within the context that `watched` makes of the name."""

    async def fault(chance: random.Random) -> str:
        name, pause = await victim(workers, app, chance), chance.choice(seconds)
        whom = as_it_is(workers, name)
        with watched(name):
            workers.stop(name)
            await asyncio.sleep(pause)
        workers.cont(name)
        return f"{whom} for {pause:g} s"

    return fault


def kill_broker(broker: DevKafka, seconds: float = 0.0) -> Fault:
    """kill -9, away for `seconds`, started again."""

    async def fault(_: random.Random) -> str:
        await asyncio.to_thread(broker.kill)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(broker.start)
        return f"broker, away for {seconds:g} s"

    return fault


def stop_broker(broker: DevKafka, seconds: float) -> Fault:
    """SIGSTOP, then SIGCONT."""

    async def fault(_: random.Random) -> str:
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        return f"broker for {seconds:g} s"

    return fault


def trouble(relay: Relay, moods: Sequence[Mood], seconds: Sequence[float], share: float = 1.0) -> Fault:
    """One of the moods for one of `seconds`, then well again."""

    async def fault(chance: random.Random) -> str:
        mood, pause = chance.choice(moods), chance.choice(seconds)
        await relay.behave(mood, share)
        await asyncio.sleep(pause)
        await relay.behave("well")
        return f"{mood} for {pause:g} s"

    return fault
