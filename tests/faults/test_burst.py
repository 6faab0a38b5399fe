"""A burst of facts through workers that count each, and are killed over it."""

from collections import Counter
from pathlib import Path

import pytest

from app.dev.kafka import DevKafka
from app.streams.names import Names
from tests.engine.counting import Counting
from tests.faults import verifier
from tests.faults.evidence import Table, read_table
from tests.faults.nemesis import kill
from tests.faults.run import Stage, seed
from tests.kafka.fleet import Fleet
from tests.kafka.test_worker import some_facts

pytestmark = [pytest.mark.kafka, pytest.mark.long]

FACTS = 200_000


async def test_of_200_000_facts_at_once_each_is_counted_once(kafka: DevKafka, names: Names, tmp_path: Path) -> None:
    told = Fleet(kafka.bootstrap, names, tmp_path)
    stage = Stage("burst of 200,000 facts, counted", kafka.bootstrap, names, tmp_path, command=["tests.faults.worker"])
    async with stage:
        for name in ("c1", "c2"):
            stage.workers.start(name, "counting", WHIMBREL_TICK_SECONDS="1")
        publishing = stage.beside(told.publish(some_facts(names, FACTS, seed())))
        await stage.nemesis.storm({"kill -9": kill(stage.workers)}, until=publishing)
        wrong = await stage.settle()
        wrong += stage.workers.finish()
        facts, _, repeats = await told.outputs()
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
        result = stage.result(
            wrong + differences,
            facts=FACTS,
            decisions=FACTS,
            found=len(facts),
            missing=FACTS - len(facts),
            repeats=repeats,
            differences=len(differences),
        )
        if result.missing:
            result.wrong.append(f"{result.missing} facts were counted nowhere")
        stage.conclude(result)
