"""Bursts of facts: through workers that count each, and through the product, which all are killed over it."""

from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from app.dev.kafka import DevKafka
from app.streams.names import Names
from tests.engine.counting import Counting
from tests.faults import verifier
from tests.faults.evidence import Table, read_table
from tests.faults.load import much_said
from tests.faults.nemesis import kill
from tests.faults.run import PARTITIONS, STORM, Run, Stage, seed
from tests.kafka.fleet import Fleet, end_of
from tests.kafka.test_worker import some_facts
from tests.kafka.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.long]

FACTS = 200_000
PARTS = 10
"""Of the counted burst, one right after the other, with a kill between two of them."""
KILLS = 5
"""Over the other one, each when another eighth of its facts is committed."""
SECONDS = 180.0
"""For a share of a burst to be committed, and for what is left of it in the end to be worked off."""


async def strike(stage: Stage, app: str) -> None:
    await stage.nemesis.strike("kill -9", kill(stage.workers, app))


async def has_struck_amid(stage: Stage, app: str) -> None:
    """Check that, and let all lanes run again: a worker that ends before has no copy that could be compared."""
    assert not stage.nemesis.missed("kill -9"), "no kill struck a running lane"
    await stage.all_lanes_run(app, seconds=SECONDS)


async def test_of_200_000_facts_at_once_each_is_counted_once(kafka: DevKafka, names: Names, tmp_path: Path) -> None:
    told = Fleet(kafka.bootstrap, names, tmp_path)

    async def counting_has_begun() -> bool:
        return any([await end_of(kafka.bootstrap, names.decisions, number) for number in range(PARTITIONS)])

    name, command = "burst of 200,000 facts, counted", ("tests.faults.worker",)
    async with Stage(name, kafka.bootstrap, names, tmp_path, command=command, stall=STORM) as stage:
        for name in ("c1", "c2"):
            stage.workers.start(name, "counting", WHIMBREL_TICK_SECONDS="1")
        await stage.all_lanes_run("counting", seconds=SECONDS)
        burst = some_facts(names, FACTS, seed())
        for number in range(PARTS):  # as fast as may be, but no kill after the last
            if number:
                await eventually(counting_has_begun, SECONDS)
                await strike(stage, "counting")
            await told.publish(burst[number::PARTS])
        await has_struck_amid(stage, "counting")
        wrong = await stage.wind_up(SECONDS)
        facts, _, repeats = await told.outputs()
        if len(facts) != FACTS:
            wrong.append(f"{len(facts)} facts were counted instead of {FACTS}")
        table = Table(f"{names.prefix}counting", names.book_journal, Counting().index)
        partitions = await read_table(kafka.bootstrap, table, stage.workers.states)
        differences = [
            line for each in partitions for line in verifier.state(each.place, each.journal, each.copies, each.index)
        ]
        expected = await told.expected()
        for partition, each in enumerate(partitions):
            rows = Counter({key.decode(): int(value) for key, value in verifier.rows_of(each.journal).items()})
            if rows != expected[partition]:
                differences.append(f"{each.place}: other counts than there are facts")
        stage.conclude(
            stage.result(wrong + differences, facts=FACTS, decisions=0, repeats=repeats, differences=len(differences))
        )


async def test_of_200_000_facts_at_once_those_that_call_for_mails_are_decided(
    kafka: DevKafka, names: Names, tmp_path: Path
) -> None:
    load = much_said(seed(), FACTS)
    assert load.facts == FACTS
    assert 0 < len(load.expected) < FACTS // 50
    async with Run("burst of 200,000 facts", kafka.bootstrap, names, tmp_path, load, stall=STORM) as run:

        async def have_committed(share: float) -> bool:
            lanes = run.watch.positions(names.book_journal).values()
            return sum(lane.get(topic, 0) for lane in lanes for topic in names.facts) >= share * FACTS

        run.begin(triggers=2, senders=1)
        await run.all_lanes_run("triggers", seconds=SECONDS)
        run.play(0)
        for number in range(1, KILLS + 1):
            await eventually(partial(have_committed, number / (KILLS + 3)), SECONDS)
            await strike(run, "triggers")
            assert not await have_committed(1.0), "the burst was over before it was struck"
        await has_struck_amid(run, "triggers")
        await run.finish(SECONDS)
