"""Loads of other kinds: a burst, ten days at once, an upstream with transactions, another configuration in between."""

import asyncio
from pathlib import Path

import pytest

from app.contract.instants import DAY
from app.dev.kafka import DevKafka
from app.dev.provider import span
from app.simulate.run import Pause
from app.streams import config_apply
from app.streams.names import Names
from tests.faults.load import changing, provider
from tests.faults.nemesis import kill, stop
from tests.faults.reasons import STOOD_STILL
from tests.faults.run import STORM, Run, seed
from tests.faults.transactions import publish_in_transactions
from tests.kafka.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.long]


@pytest.mark.parametrize("paused", [True, False], ids=["missed", "recorded"])
async def test_ten_days_are_caught_up_with_while_workers_are_killed(
    kafka: DevKafka, names: Names, tmp_path: Path, *, paused: bool
) -> None:
    """Recorded: every tick of the ten days was made. Missed: time stood still, and one tick says that ten are over."""
    begin = span().begin + 9 * DAY
    pauses = [Pause(begin, begin + 10 * DAY)] if paused else []
    name = f"backlog of ten days, ticks {'missed' if paused else 'recorded'}"
    load = provider(seed(), pauses=pauses)
    async with Run(name, kafka.bootstrap, names, tmp_path, load, stall=STORM) as run:
        first, second, third = run.load.parts(9 / 28, 19 / 28)
        run.begin(triggers=2, senders=1)
        await run.play(3, first)
        assert not await run.settle()
        for worker in run.workers.names():
            await run.workers.leave(worker)
        await run.play(0, second)
        run.begin(triggers=2, senders=1)
        playing = run.play(12, third)
        await run.decides()
        await run.nemesis.strike("kill", kill(run.workers, "triggers"))
        await run.nemesis.storm({"kill": kill(run.workers)}, until=playing)
        await run.finish()
        assert not run.nemesis.missed("kill")


async def test_an_upstream_with_transactions_some_of_them_aborted(
    kafka: DevKafka, names: Names, tmp_path: Path
) -> None:
    load = provider(seed(), days=14)
    async with Run(
        "transactional upstream", kafka.bootstrap, names, tmp_path, load, ends=STOOD_STILL, stall=STORM
    ) as run:
        run.begin(triggers=2, senders=1)
        await run.all_lanes_run()

        def aborted(records: int) -> None:
            run.nemesis.note("transaction aborted", f"{records} records")

        publishing = asyncio.create_task(
            publish_in_transactions(kafka.bootstrap, names, load, run.chance, aborted, seconds=18)
        )
        await run.nemesis.storm({"kill": kill(run.workers), "stop": stop(run.workers, (1, 5))}, until=publishing)
        await run.finish()
        assert run.nemesis.counts["transaction aborted"] >= 1
        assert not run.nemesis.missed("kill", "stop")


async def test_another_configuration_comes_in_the_middle(kafka: DevKafka, names: Names, tmp_path: Path) -> None:
    load = changing(provider(seed()), share=0.5)
    async with Run("configuration changed", kafka.bootstrap, names, tmp_path, load, stall=STORM) as run:
        first, second = load.parts(0.5)
        run.begin(triggers=2, senders=1)
        await run.nemesis.storm({"kill": kill(run.workers)}, until=run.play(10, first))
        assert not await run.settle()
        applied = await config_apply.apply(kafka.bootstrap, names.config, load.whole, as_written=True)
        assert applied is not None
        known = f"configuration in force offset={applied.offset}"
        run.nemesis.note("configuration", f"offset {applied.offset}")

        async def all_know() -> bool:
            return all(known in run.workers.life(name) for name in run.workers.names("triggers"))

        await eventually(all_know)
        await run.nemesis.storm({"kill": kill(run.workers)}, until=run.play(10, second))
        await run.finish()
        assert not run.nemesis.missed("kill")


async def test_another_configuration_comes_amid_work_and_one_dies_before_it_knows(
    kafka: DevKafka, names: Names, tmp_path: Path
) -> None:
    """Its rules count from the second half's begin; it comes in the midst of the first, as it must be known by then."""
    load = changing(provider(seed()), share=0.5)
    async with Run("configuration changed amid work", kafka.bootstrap, names, tmp_path, load, stall=STORM) as run:
        first, second = load.parts(0.5)
        run.begin(triggers=2, senders=1)
        await run.all_lanes_run("triggers")
        playing = run.play(20, first)
        await run.becomes(0.1)
        run.workers.stop("t1")
        applied = await config_apply.apply(kafka.bootstrap, names.config, load.whole, as_written=True)
        assert applied is not None
        assert not playing.done(), "it came when there was nothing to do"
        known = f"configuration in force offset={applied.offset}"
        run.nemesis.note("configuration", f"offset {applied.offset}")
        assert known not in run.workers.life("t1")
        run.workers.kill("t1")
        run.nemesis.note("kill before it knows", "t1")

        async def all_know() -> bool:
            return all(known in run.workers.life(name) for name in run.workers.names("triggers"))

        await eventually(all_know, 60)
        await run.nemesis.storm({"kill": kill(run.workers)}, until=playing)
        await run.nemesis.storm({"kill": kill(run.workers)}, until=run.play(10, second))
        await run.finish()
        assert not run.nemesis.missed("kill")
