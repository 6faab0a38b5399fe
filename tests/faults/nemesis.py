"""What strikes: named faults, each with a seeded choice of its victims, each strike recorded.

A fault is a coroutine function that is given a source of chance, strikes, returns when its strike is over, and says
whom it has hit: `async def fault(chance: random.Random) -> str`. Builders here make those that most scenarios need:

    kill(workers), term(workers), stop(workers, seconds)          one of the workers, or of `app`'s
    kill_broker(broker), stop_broker(broker, seconds)             a DevKafka of the test's own
    trouble(relay, moods, seconds)                                the SMTP server's moods, see relay.py

`Nemesis(seed).storm({"kill": kill(workers), …}, until=task, every=(1, 4))` strikes with one after the other, at random,
until `task` is done; two storms may rage at once. `strike("kill", kill(workers))` strikes once. `counts` says how often
each has struck.
"""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from app.dev.kafka import DevKafka
from tests.faults.cluster import Workers
from tests.faults.relay import Mood, Relay

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


def kill(workers: Workers, app: str | None = None) -> Fault:
    """kill -9."""

    async def fault(chance: random.Random) -> str:
        name = await workers.up(chance.choice(workers.names(app)))
        await asyncio.to_thread(workers.kill, name)
        return name

    return fault


def term(workers: Workers, app: str | None = None) -> Fault:
    """SIGTERM; over when the worker has ended, which `Workers.finish` and the supervisor look at."""

    async def fault(chance: random.Random) -> str:
        name = await workers.up(chance.choice(workers.names(app)))
        workers.term(name)
        return name

    return fault


def stop(workers: Workers, seconds: Sequence[float], app: str | None = None) -> Fault:
    """SIGSTOP for one of `seconds`, then SIGCONT."""

    async def fault(chance: random.Random) -> str:
        name, pause = await workers.up(chance.choice(workers.names(app))), chance.choice(seconds)
        workers.stop(name)
        await asyncio.sleep(pause)
        workers.cont(name)
        return f"{name} for {pause:g} s"

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
