"""What a worker says of a broker that answers, and takes nothing."""

import asyncio
from typing import Any, cast

import pytest
from aiokafka.errors import (
    InvalidTimestampError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    ProducerFenced,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from app.errors import WhimbrelError
from app.streams import patience
from app.streams.client import KafkaAwayError, TopicMissingError
from app.streams.patience import Patience, WriteRefusedError
from tests.switched import both, raising

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


@both
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


@both
async def test_a_topic_not_heard_of_while_brokers_are_silent_is_asked_for_again(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    """The client gives up after 40 s of asking, and a silence is waited for longer."""
    brokers = Patience(cast("Any", None), "broker:9092")
    waits: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    asked: list[float] = []

    async def send() -> asyncio.Future[Any]:
        asked.append(clock.now)
        clock.now += 2 * BOUND
        if len(asked) == 2:
            brokers.heard()  # they are back, too late for this question
        if len(asked) < 3:
            raise UnknownTopicOrPartitionError
        return waits

    if not on:
        monkeypatch.setattr(Patience, "_has_answered_since", lambda _self, _begun: True)
    with raising(TopicMissingError, so=not on):
        assert await brokers.sent(send, "whimbrel.outbox") is waits
    assert len(asked) == (3 if on else 1)


@both
async def test_a_question_that_a_silence_came_into_is_asked_again(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    """A broker that is killed again and again is back now and then: its last answer may be young."""
    brokers = Patience(cast("Any", None), "broker:9092")
    asked: list[float] = []

    async def ask() -> int:
        asked.append(clock.now)
        if len(asked) == 3:
            return 7
        clock.now += 2 * BOUND
        brokers.heard()
        raise KafkaTimeoutError("Failed to get offsets by times in 40000 ms")

    if not on:
        monkeypatch.setattr(Patience, "_has_answered_since", lambda _self, _begun: True)
    with raising(KafkaAwayError, so=not on):
        assert await brokers.answered(ask) == 7
    assert len(asked) == (3 if on else 1)


async def test_a_question_that_brokers_leave_open_though_they_answer_is_not_asked_for_ever(clock: Clock) -> None:
    brokers = Patience(cast("Any", None), "broker:9092")

    async def ask() -> None:
        answer(brokers, clock, 8)
        raise KafkaTimeoutError("Failed to get offsets by times in 40000 ms")

    with pytest.raises(KafkaAwayError, match=r"brokers answer, but not where a topic begins or ends: .*40000 ms"):
        await brokers.answered(ask)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UnknownTopicOrPartitionError(), r"^topic whimbrel.outbox does not exist; .*topics create"),
        (TopicAuthorizationFailedError(), "^whimbrel.outbox: .*grant Write on the topic"),
        (KafkaTimeoutError(), "^whimbrel.outbox: a batch waits in vain"),
    ],
)
async def test_what_brokers_that_answer_say_of_a_topic_ends_the_writer(
    clock: Clock, error: Exception, said: str
) -> None:
    brokers = Patience(cast("Any", None), "broker:9092")

    async def send() -> asyncio.Future[Any]:
        answer(brokers, clock, 8)
        raise error

    with pytest.raises(WhimbrelError, match=said):
        await brokers.sent(send, "whimbrel.outbox")


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
