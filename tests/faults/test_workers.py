"""Workers killed, stopped beyond their session and ended, again and again, amid a load."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.dev.kafka import DevKafka
from app.streams.names import Names
from tests.faults.cluster import RUNS, Workers
from tests.faults.load import provider
from tests.faults.nemesis import Fault, kill, stop, term
from tests.faults.reasons import EXPELLED, NEVER, STOOD_STILL
from tests.faults.run import SESSION, STORM, Run, seed

pytestmark = [pytest.mark.kafka, pytest.mark.long]

SECONDS = {"kill -9": 18.0, "stop beyond the session": 34.0, "term": 18.0}
BEYOND = (4, 7)
"""Seconds: whoever stands still for so long has been expelled, or is about to be."""
LEAST = 3
"""Strikes that hit a worker at work."""


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
        ends=STOOD_STILL if what == "stop beyond the session" else NEVER,
        stall=STORM,
    ) as run:
        assert min(BEYOND) > SESSION
        taken_over = TakenOver(run.workers)
        faults: dict[str, Fault] = {
            "kill -9": kill(run.workers),
            "stop beyond the session": stop(run.workers, BEYOND, watched=taken_over.meanwhile),
            "term": term(run.workers),
        }
        run.begin(triggers=3, senders=2)
        await run.all_lanes_run()
        await run.nemesis.storm({what: faults[what]}, until=run.play(SECONDS[what]))
        await run.finish()
        assert len(run.nemesis.at_work(what)) >= LEAST, run.nemesis.strikes
        if what == "stop beyond the session":
            expelled = [each.name for each in run.workers.ended if re.search(EXPELLED, each.last)]
            assert expelled or taken_over.partitions, "nobody took over from one that stood still"


class TakenOver:
    """Which partitions of one that stood still ran with another worker before it was let go on."""

    def __init__(self, workers: Workers) -> None:
        self.partitions: list[str] = []
        """`PARTITION of NAME by NAME`."""
        self._workers = workers

    @contextmanager
    def meanwhile(self, victim: str) -> Iterator[None]:
        """Keep the record while it stands still."""
        workers, owned = self._workers, self._workers.lanes(victim)
        logged = {name: len(workers.logged(name)) for name in workers.names(workers[victim].app) if name != victim}
        yield
        for name, length in logged.items():
            runs = map(int, RUNS.findall(workers.logged(name)[length:]))
            self.partitions += [f"{each} of {victim} by {name}" for each in runs if each in owned]
