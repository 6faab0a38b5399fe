"""Topics that are deleted and made anew: input that is lost, and journals that no longer tell what the state was."""

import shutil
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from app.dev.kafka import DevKafka
from app.streams import client
from app.streams.names import Names
from tests.faults.altered import delete, make_anew
from tests.faults.cluster import FAILED
from tests.faults.evidence import Evidence
from tests.faults.load import provider
from tests.faults.reasons import FOREIGN, INTRUDED, LOST, UNASSIGNED
from tests.faults.results import Result
from tests.faults.run import Run, seed
from tests.kafka.system import comparable
from tests.kafka.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.long]

SECONDS = 4.0
ANEW = "made anew beneath a worker"
GO_ON = {"WHIMBREL_LOST_INPUT": "go_on"}


class Twice(Run):
    """A run in which decisions and letters may come a second time, under other ids: each counts once."""

    def _judged(self, found: Evidence, wrong: list[str]) -> Result:
        decisions = {next(iter(comparable([each]))): each for each in found.decisions}
        dead = {(each["topic"], each["partition"], each["offset"]): each for each in found.dead}
        return super()._judged(replace(found, decisions=[*decisions.values()], dead=[*dead.values()]), wrong)


async def end_saying(run: Run, names: Collection[str], *said: str) -> None:
    """Wait until each of these workers has ended, and said all of this in the end."""

    async def all_have() -> bool:
        ended = {each.name for each in run.workers.ended if each.status == FAILED and all(_ in each.last for _ in said)}
        return ended >= set(names)

    await eventually(all_have, 90)


async def test_an_input_topic_workers_go_on_when_told_to(kafka: DevKafka, names: Names, tmp_path: Path) -> None:
    load = provider(seed(), 60)
    ends = f"{LOST}|{UNASSIGNED}"
    async with Run("input topic made anew", kafka.bootstrap, names, tmp_path, load, ends=ends) as run:
        first, second = run.load.parts(0.5)
        run.begin(triggers=2, senders=1)
        await run.play(SECONDS, first)
        assert not await run.settle()
        await make_anew(kafka.bootstrap, names, names.billing)
        run.nemesis.note("input topic made anew", names.billing)
        await end_saying(run, ["t1", "t2"], f"{names.billing}[", "WHIMBREL_LOST_INPUT=go_on")
        for name in ("t1", "t2"):
            run.workers.rest(name)
            run.workers.start(name, **GO_ON)
        await ready(run, "t1", "t2")
        await run.play(SECONDS, second)
        await run.finish()


async def ready(run: Run, *names: str) -> None:
    """Wait until these workers are."""

    async def all_are() -> bool:
        return all(run.workers.ready(name) for name in names)

    await eventually(all_are, 60)


@pytest.mark.parametrize("app", ["triggers", "sender"])
async def test_a_journal(kafka: DevKafka, names: Names, tmp_path: Path, app: str) -> None:
    """Workers end and name what they have; without that they begin anew, and nobody is written to twice."""
    load = provider(seed(), 60)
    first, second = load.parts(0.5)
    journal, workers = {
        "triggers": (names.book_journal, ("t1", "t2")),
        "sender": (names.attempts_journal, ("s1",)),
    }[app]
    async with Run(f"journal made anew, {app}: before", kafka.bootstrap, names, tmp_path, load) as before:
        before.begin(triggers=2, senders=1)
        await before.play(SECONDS, first)
        assert not await before.settle()
        assert not before.workers.finish()
        assert not before.workers.unexplained()
    await delete(kafka.bootstrap, journal)
    async with Twice(
        f"journal made anew, {app}", kafka.bootstrap, names, tmp_path, load, ends=f"{FOREIGN}|{LOST}"
    ) as run:
        run.nemesis.note("journal made anew", journal)
        run.relay.accepted.update(before.relay.accepted)
        run.begin(triggers=2, senders=1)
        await end_saying(run, workers, f"{journal}[", f"{tmp_path}", "remove that directory")
        for name in workers:
            run.workers.rest(name)
            shutil.rmtree(run.workers.state(name))
            run.workers.start(name, app)
        if app == "sender":
            await end_saying(run, workers, f"{journal}[", names.deliveries, "WHIMBREL_LOST_INPUT=go_on")
            for name in workers:
                run.workers.rest(name)
                run.workers.start(name, app, **GO_ON)
        await ready(run, *workers)
        await run.play(SECONDS, second)
        result = await run.finish()
        if app == "triggers":
            assert len(await client.read(kafka.bootstrap, names.outbox)) > result.mails, "nothing was sent out again"


async def test_a_journal_beneath_its_workers(kafka: DevKafka, names: Names, tmp_path: Path) -> None:
    """What they have written into the new one is a part of the state: nobody goes on from that."""
    load = provider(seed(), 60)
    first, second = load.parts(0.5)
    async with Run("journal made anew beneath: before", kafka.bootstrap, names, tmp_path, load) as before:
        before.begin(triggers=2, senders=1)
        await before.play(SECONDS, first)
        assert not await before.settle()
        await make_anew(kafka.bootstrap, names, names.book_journal)
        playing = before.play(SECONDS, second)
        await end_saying(before, ["t1", "t2"], INTRUDED)
        before.workers.rest("t1")
        before.workers.rest("t2")
        before.workers.start("t3")
        await end_saying(before, ["t3"], f"{names.book_journal}[", ANEW)
        before.workers.rest("t3")
        await playing
        assert not before.workers.finish()
        assert not before.workers.unexplained(f"{INTRUDED}|{ANEW}")
    await delete(kafka.bootstrap, names.book_journal)
    for name in ("t1", "t2", "t3"):
        shutil.rmtree(before.workers.state(name))
    async with Twice("journal made anew beneath its workers", kafka.bootstrap, names, tmp_path, load) as run:
        run.nemesis.note("journal made anew", names.book_journal)
        run.relay.accepted.update(before.relay.accepted)
        run.begin(triggers=2, senders=1)
        await ready(run, "t1", "t2")
        await run.finish()
