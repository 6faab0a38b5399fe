"""What a worker says of a broker that answers, and takes nothing."""

import asyncio
from typing import Any, cast

import pytest
from aiokafka.errors import (
    InvalidTimestampError,
    MessageSizeTooLargeError,
    ProducerFenced,
    TopicAuthorizationFailedError,
)

from app.streams import patience
from app.streams.client import KafkaAwayError
from app.streams.patience import Patience, WriteRefusedError

BOUND = 0.02


class Clock:
    """The loop's, as far as patience goes by it: it moves on when it is told to."""

    now = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    stands = Clock()
    monkeypatch.setattr(patience, "_now", lambda: stands.now)
    monkeypatch.setattr(patience, "UNACKNOWLEDGED_SECONDS", BOUND)
    monkeypatch.setattr(patience, "QUIET_SECONDS", BOUND / 3)
    return stands


def answer(brokers: Patience, clock: Clock, times: int) -> None:
    """Have the brokers answer for so many quarters of the bound."""
    for _ in range(times):
        clock.now += BOUND / 4
        brokers.heard()


async def look_again(appending: "asyncio.Task[Any]") -> bool:
    """Give what waits the time to look at the clock; return whether it is done."""
    done, _ = await asyncio.wait([appending], timeout=5 * BOUND)
    return bool(done)


@pytest.mark.parametrize("on", [True, False], ids=["on", "off"])
async def test_only_seconds_in_which_brokers_answer_count_towards_an_appends_30(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    if not on:
        monkeypatch.setattr(Patience, "_left", lambda _self, begun: begun + BOUND - clock.now)
    brokers = Patience(cast("Any", None), "broker:9092")
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    appending = asyncio.create_task(brokers.acknowledged(future, "a_journal[0]"))
    await asyncio.sleep(0)
    clock.now = 2 * BOUND
    ended = await look_again(appending)
    if on:
        assert not ended
        appending.cancel()
        await asyncio.wait([appending])
        return
    with pytest.raises(KafkaAwayError, match="not acknowledged"):  # a worker ends at a broker's pause
        await appending


@pytest.mark.parametrize("acknowledged", [True, False])
async def test_an_append_amid_which_brokers_fall_silent_waits_for_them_and_then_as_long_as_ever(
    clock: Clock, *, acknowledged: bool
) -> None:
    brokers = Patience(cast("Any", None), "broker:9092")
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    appending = asyncio.create_task(brokers.acknowledged(future, "a_journal[0]"))
    await asyncio.sleep(0)
    answer(brokers, clock, 2)
    clock.now = BOUND
    assert not await look_again(appending), "a silence has a bound of its own"
    clock.now = 30 * BOUND
    brokers.heard()
    assert not await look_again(appending)
    if acknowledged:
        future.set_result("there")
        assert await appending == "there"
    else:
        answer(brokers, clock, 4)
        with pytest.raises(KafkaAwayError, match=r"^a_journal\[0\]: not acknowledged for"):
            async with asyncio.timeout(10):
                await appending


async def refused(error: Exception) -> None:
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    await Patience(cast("Any", None), "broker:9092").acknowledged(future, "whimbrel.outbox[3]")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MessageSizeTooLargeError(), "max.message.bytes"),
        (TopicAuthorizationFailedError(), "grant Write on the topic"),
        (InvalidTimestampError(), "clock"),
    ],
)
async def test_a_refusal_names_the_topic_and_what_mends_it(error: Exception, said: str) -> None:
    with pytest.raises(WriteRefusedError, match=rf"^whimbrel.outbox\[3\]: .*{said}"):
        await refused(error)


async def test_a_fenced_writer_is_told_as_it_is() -> None:
    with pytest.raises(ProducerFenced):
        await refused(ProducerFenced())
