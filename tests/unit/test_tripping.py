"""Trips are published until they are known, however often that is refused."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from app.config.check import Config
from app.config.record import Change, Recorded
from app.domain.switches import Guard, Switches, Trip, TripId
from app.errors import WhimbrelError
from app.settings import SettingsError, load
from app.streams import config_apply, tripping
from app.streams.config_apply import Switched
from app.streams.tripping import TripTeller


class Topic:
    """Stands for whimbrel.config; refuses the first few changes."""

    def __init__(self, refusals: int = 0) -> None:
        self.switches = Switches()
        self.changed = asyncio.Event()
        self._refusals = refusals

    async def switch(self, bootstrap: str, topic: str, change: Change) -> Switched:
        await asyncio.sleep(0)
        if self._refusals:
            self._refusals -= 1
            raise WhimbrelError("refused")
        before, self.switches = self.switches, change(Recorded(Config((), {}), self.switches))
        self.changed.set()
        return Switched(before, self.switches)


def a_trip(rule: str) -> Trip:
    return Trip(TripId(rule, 0, 1), recipients=2, limit=1)


async def published(topic: Topic, tell: Callable[[TripTeller], None]) -> Guard:
    teller = TripTeller("127.0.0.1:1", "whimbrel.config")
    tell(teller)
    running = asyncio.create_task(teller.run())
    async with asyncio.timeout(5):
        await topic.changed.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return topic.switches.guard


@pytest.mark.parametrize("refusals", [0, 2])
async def test_trips_told_together_are_one_change_and_a_refusal_is_no_loss(
    monkeypatch: pytest.MonkeyPatch, refusals: int
) -> None:
    topic = Topic(refusals)
    monkeypatch.setattr(config_apply, "switch", topic.switch)
    monkeypatch.setattr(tripping, "AGAIN_SECONDS", 0)

    def tell(teller: TripTeller) -> None:
        for rule in ("b", "a", "b"):
            teller.tell(a_trip(rule))

    assert await published(topic, tell) == Guard(open=(a_trip("a"), a_trip("b")))


async def test_a_trip_that_was_released_stays_released(monkeypatch: pytest.MonkeyPatch) -> None:
    topic = Topic()
    topic.switches = Switches(guard=Guard(open=(a_trip("a"),)).release([a_trip("a").id]))
    monkeypatch.setattr(config_apply, "switch", topic.switch)
    guard = await published(topic, lambda teller: teller.tell(a_trip("a")))
    assert guard == Guard(released=(a_trip("a").id,))


def test_the_limit_is_a_number_or_left_to_the_guard() -> None:
    assert load({"WHIMBREL_GUARD_MAX_PER_HOUR": ""}).guard_max_per_hour is None
    assert load({"WHIMBREL_GUARD_MAX_PER_HOUR": "250"}).guard_max_per_hour == 250
    with pytest.raises(SettingsError, match="WHIMBREL_GUARD_MAX_PER_HOUR"):
        load({"WHIMBREL_GUARD_MAX_PER_HOUR": "0"})
