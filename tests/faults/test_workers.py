"""Workers killed, stopped beyond their session and ended, again and again, amid a load."""

import random
import re
from pathlib import Path

import pytest

from app.dev.kafka import DevKafka
from app.streams.names import Names
from tests.faults.cluster import Workers
from tests.faults.load import provider
from tests.faults.nemesis import Fault, kill, stop, term
from tests.faults.reasons import EXPELLED, NEVER
from tests.faults.run import SESSION, Run, seed
from tests.kafka.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.long]

SECONDS = {"kill -9": 18.0, "stop beyond the session": 34.0, "term": 18.0}
BEYOND = (4, 7)
"""Seconds: whoever stands still for so long has been expelled, or is about to be."""
LEAST = 3
"""Strikes that hit a worker at work."""
RUNS = re.compile(r"lane runs partition=(\d+)")


@pytest.mark.parametrize("static", [True, False], ids=["static members", "dynamic members"])
@pytest.mark.parametrize("what", ["kill -9", "stop beyond the session", "term"])
async def test_nothing_is_lost_or_sent_twice(
    kafka: DevKafka, names: Names, tmp_path: Path, what: str, *, static: bool
) -> None:
    members = "static" if static else "dynamic"
    async with Run(
        f"{what}, {members} members",
        kafka.bootstrap,
        names,
        tmp_path,
        provider(seed()),
        static=static,
        ends=EXPELLED if what == "stop beyond the session" else NEVER,
    ) as run:
        assert min(BEYOND) > SESSION
        struck, taken_over = Struck(run.workers), TakenOver(run.workers)
        faults: dict[str, Fault] = {
            "kill -9": struck.by(kill(run.workers)),
            "stop beyond the session": struck.by(taken_over.meanwhile(stop(run.workers, BEYOND))),
            "term": struck.by(term(run.workers)),
        }
        run.begin(triggers=3, senders=2)
        await eventually(struck.all_are_at_work, 60)
        await run.nemesis.storm({what: faults[what]}, until=run.play(SECONDS[what]))
        await run.finish()
        assert len(struck.at_work) >= LEAST, struck.at_work
        if what == "stop beyond the session":
            expelled = [each.name for each in run.workers.ended if re.search(EXPELLED, each.last)]
            assert expelled or taken_over.partitions, "nobody took over from one that stood still"


class Struck:
    """Who was at work when it was struck: a process of which a lane had run in its present life."""

    def __init__(self, workers: Workers) -> None:
        self.at_work: list[str] = []
        self._workers = workers

    def by(self, fault: Fault) -> Fault:
        """Return the fault that keeps this record."""

        async def recorded(chance: random.Random) -> str:
            at_work = [name for name in self._workers.names() if self._is_at_work(name)]
            hit = await fault(chance)
            self.at_work += [name for name in at_work if name == hit.partition(" ")[0]]
            return hit

        return recorded

    async def all_are_at_work(self) -> bool:
        return all(map(self._is_at_work, self._workers.names()))

    def _is_at_work(self, name: str) -> bool:
        return self._workers[name].process.running and RUNS.search(self._workers.life(name)) is not None


class TakenOver:
    """Which partitions of one that stood still ran with another worker before it was let go on."""

    def __init__(self, workers: Workers) -> None:
        self.partitions: list[str] = []
        """`PARTITION of NAME by NAME`."""
        self._workers = workers

    def meanwhile(self, fault: Fault) -> Fault:
        """Return the fault, one that ends when its victim is let go on, that keeps this record."""

        async def recorded(chance: random.Random) -> str:
            names = self._workers.names()
            lives = {name: self._workers.life(name) for name in names if self._workers[name].process.running}
            logged = {name: len(self._workers.logged(name)) for name in names}
            hit = await fault(chance)
            victim = hit.partition(" ")[0]
            owned = set(RUNS.findall(lives.get(victim, "").rpartition("assigned partitions=")[2]))
            for name in self._workers.names(self._workers[victim].app):
                if name != victim:
                    runs = RUNS.findall(self._workers.logged(name)[logged[name] :])
                    self.partitions += [f"{each} of {victim} by {name}" for each in runs if each in owned]
            return hit

        return recorded
