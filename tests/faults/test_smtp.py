"""An SMTP server that misbehaves in every way that it can, alone and while senders are killed."""

import asyncio
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import orjson
import pytest

from app.dev.kafka import DevKafka
from app.streams import client
from app.streams.names import Names
from tests.faults.load import provider
from tests.faults.nemesis import Fault, kill, stop
from tests.faults.reasons import STOOD_STILL
from tests.faults.relay import MOODS, UNSURE, Mood
from tests.faults.run import STORM, Run, seed
from tests.kafka.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.long]

SURE: tuple[Mood, ...] = tuple(mood for mood in MOODS if mood not in {"well", *UNSURE})
CONNECTION_REFUSED = "connecting failed"
"""What a sender reports of it; no other mood makes it say so."""


def suffered(run: Run, playing: "asyncio.Task[None]", mood: Mood, seconds: Sequence[float], share: float) -> Fault:
    """Return `trouble` that lasts, beyond one of `seconds`, until somebody has suffered of it or the load is over."""

    async def fault(chance: random.Random) -> str:
        before, pause = await sufferers(run, mood), chance.choice(seconds)
        await run.relay.behave(mood, share)
        await asyncio.sleep(pause)

        async def struck() -> bool:
            return playing.done() or await sufferers(run, mood) > before

        await eventually(struck, 120)
        await run.relay.behave("well")
        return f"{mood} for {pause:g} s, or more"

    return fault


def at_work(run: Run, playing: "asyncio.Task[None]", fault: Fault) -> Fault:
    """Return the fault that waits until all senders are at work, or the load is over: else no mood would be felt."""

    async def waiting(chance: random.Random) -> str:
        async def all_work() -> bool:
            return playing.done() or all(map(run.workers.lanes, run.workers.names("sender")))

        await eventually(all_work, 120)
        return await fault(chance)

    return waiting


async def sufferers(run: Run, mood: Mood) -> int:
    """Return how many messages or connections have suffered of the mood; of `refusing`, as the senders tell."""
    if mood != "refusing":
        return run.relay.suffered[mood]
    deliveries = await client.read(run.bootstrap, run.names.deliveries)
    return sum(orjson.loads(each.value or b"{}").get("reason") == CONNECTION_REFUSED for each in deliveries)


async def assert_all_were_suffered(run: Run, moods: Iterable[Mood]) -> None:
    """Each mood came, and somebody suffered of it."""
    assert {mood for mood in moods if not run.nemesis.counts.get(f"SMTP {mood}")} == set()
    assert {mood for mood in moods if not await sufferers(run, mood)} == set()


async def test_a_relay_that_surely_took_nothing_leaves_nothing_unknown(
    kafka: DevKafka, names: Names, tmp_path: Path
) -> None:
    async with Run("SMTP refusing, hanging, deferring", kafka.bootstrap, names, tmp_path, provider(seed())) as run:
        run.begin(triggers=1, senders=2)
        playing = run.play(45)
        faults = {f"SMTP {mood}": suffered(run, playing, mood, (1, 2), share=0.7) for mood in SURE}
        await run.nemesis.storm(faults, until=playing)
        await run.finish()
        await assert_all_were_suffered(run, SURE)


async def test_a_relay_that_takes_mails_and_does_not_say_so_gets_none_twice(
    kafka: DevKafka, names: Names, tmp_path: Path
) -> None:
    async with Run("SMTP dropping, late after DATA", kafka.bootstrap, names, tmp_path, provider(seed())) as run:
        run.begin(triggers=1, senders=2)
        playing = run.play(20)
        faults = {f"SMTP {mood}": suffered(run, playing, mood, (1, 2), share=0.3) for mood in UNSURE}
        await run.nemesis.storm(faults, until=playing)
        result = await run.finish()
        assert result.unknown == run.relay.unsure
        await assert_all_were_suffered(run, UNSURE)


async def test_every_trouble_while_senders_are_killed_and_stopped(
    kafka: DevKafka, names: Names, tmp_path: Path
) -> None:
    name, load = "SMTP in trouble, senders killed", provider(seed())
    async with Run(name, kafka.bootstrap, names, tmp_path, load, ends=STOOD_STILL, stall=STORM) as run:
        run.begin(triggers=1, senders=2)
        playing = run.play(60)
        strikes = {"kill -9": kill(run.workers, "sender"), "stop": stop(run.workers, (1, 5), "sender")}
        faults = {what: at_work(run, playing, fault) for what, fault in strikes.items()}
        troubles = {f"SMTP {mood}": suffered(run, playing, mood, (1, 3), share=0.5) for mood in MOODS[1:]}
        await asyncio.gather(
            run.nemesis.storm(faults, until=playing, every=(0.3, 1.5)),
            run.nemesis.storm(troubles, until=playing, every=(0.1, 0.5)),
        )
        await run.finish()
        await assert_all_were_suffered(run, MOODS[1:])
        assert not run.nemesis.missed("kill -9", "stop")
