"""An SMTP server that misbehaves in every way that it can, alone and while senders are killed."""

import asyncio
from pathlib import Path

import pytest

from app.dev.kafka import DevKafka
from app.streams.names import Names
from tests.faults.load import provider
from tests.faults.nemesis import kill, stop, trouble
from tests.faults.relay import MOODS, Mood
from tests.faults.run import Run, seed

pytestmark = [pytest.mark.kafka, pytest.mark.long]

UNSURE: tuple[Mood, ...] = ("cut content", "cut taken", "late")
"""After these nobody can know."""
SURE: tuple[Mood, ...] = tuple(mood for mood in MOODS if mood not in {"well", *UNSURE})


async def test_a_relay_that_surely_took_nothing_leaves_nothing_unknown(
    kafka: DevKafka, names: Names, tmp_path: Path
) -> None:
    async with Run("SMTP refusing, hanging, deferring", kafka.bootstrap, names, tmp_path, provider(seed())) as run:
        run.begin(triggers=1, senders=2)
        faults = {f"SMTP {mood}": trouble(run.relay, [mood], (1, 2), share=0.7) for mood in SURE}
        await run.nemesis.storm(faults, until=run.play(25))
        await run.finish(unknown=False)


async def test_a_relay_that_takes_mails_and_does_not_say_so_gets_none_twice(
    kafka: DevKafka, names: Names, tmp_path: Path
) -> None:
    async with Run("SMTP dropping, late after DATA", kafka.bootstrap, names, tmp_path, provider(seed())) as run:
        run.begin(triggers=1, senders=2)
        faults = {f"SMTP {mood}": trouble(run.relay, [mood], (1, 2), share=0.3) for mood in UNSURE}
        await run.nemesis.storm(faults, until=run.play(20))
        result = await run.finish()
        assert result.unknown == sum(run.relay.suffered[mood] for mood in UNSURE)


async def test_every_trouble_while_senders_are_killed_and_stopped(
    kafka: DevKafka, names: Names, tmp_path: Path
) -> None:
    async with Run("SMTP in trouble, senders killed", kafka.bootstrap, names, tmp_path, provider(seed())) as run:
        run.begin(triggers=1, senders=2)
        faults = {"kill -9": kill(run.workers, "sender"), "stop": stop(run.workers, (1, 5), "sender")}
        troubles = {"SMTP in trouble": trouble(run.relay, MOODS[1:], (1, 3), share=0.5)}
        playing = run.play(35)
        await asyncio.gather(
            run.nemesis.storm(faults, until=playing, every=(0.3, 1.5)),
            run.nemesis.storm(troubles, until=playing, every=(0.1, 0.5)),
        )
        await run.finish()
