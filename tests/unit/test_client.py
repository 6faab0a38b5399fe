"""What a client does where one broker of several is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError, NodeNotReadyError, TopicAuthorizationFailedError

from app.streams import client, rewriting
from app.streams.patience import Patience


class Admin:
    """Asks a broker that is away first."""

    def __init__(self) -> None:
        self.asked = 0

    async def describe_topics(self) -> list[Any]:
        self.asked += 1
        if self.asked == 1:
            raise NodeNotReadyError
        return [{"topic": "facts", "partitions": [0, 1]}]


async def test_another_broker_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def opened(_bootstrap: str) -> AsyncIterator[Admin]:
        yield Admin()

    monkeypatch.setattr(client, "opened_admin", opened)
    monkeypatch.setattr(client, "RETRY_SECONDS", 0)
    assert await client.partitions_of("a:1,b:1", "facts") == [TopicPartition("facts", 0), TopicPartition("facts", 1)]


class Producer:
    """Looks for its coordinator first while the broker goes away, as aiokafka says it."""

    def __init__(self, error: KafkaError | None) -> None:
        self.closed = False
        self._error = error

    async def start(self) -> None:
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        self.closed = True


def wrapped(cause: KafkaError) -> KafkaError:
    error = KafkaError(repr(cause))
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error", [KafkaConnectionError(), wrapped(KafkaConnectionError()), wrapped(NodeNotReadyError())]
)
async def test_a_client_whose_broker_goes_away_as_it_starts_is_made_again(
    error: KafkaError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "RETRY_SECONDS", 0)
    made = [Producer(error), Producer(None)]
    coming = iter(made)
    assert await client.started(lambda: next(coming), Producer.close, "a:1") is made[1]
    assert [each.closed for each in made] == [True, False]


@pytest.mark.parametrize("error", [TopicAuthorizationFailedError(), wrapped(TopicAuthorizationFailedError())])
async def test_a_client_that_is_refused_is_not(error: KafkaError) -> None:
    refused = Producer(error)
    with pytest.raises(KafkaError) as raised:
        await client.started(lambda: refused, Producer.close, "a:1")
    assert raised.value is error
    assert refused.closed


class Asking(Producer):
    """Asks a coordinator for its id that has none to give."""

    async def start(self) -> None:
        await asyncio.Event().wait()


async def test_a_client_that_asks_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(client, "RETRY_SECONDS", 0.01)
    asking = Asking(None)
    async with asyncio.timeout(10):
        with pytest.raises(client.KafkaAwayError, match="no Kafka at a:1"):
            await client.started(lambda: asking, Producer.close, "a:1")
    assert asking.closed


async def test_a_tool_whose_broker_goes_away_ends_in_the_middle_of_its_work(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def opened(_bootstrap: str) -> AsyncIterator[Any]:
        yield SimpleNamespace(_client=None)

    async def watch(_: Patience) -> None:
        await asyncio.sleep(0)
        raise client.KafkaAwayError("no answer from Kafka at a:1 for 60 s")

    monkeypatch.setattr(rewriting, "opened_consumer", opened)
    monkeypatch.setattr(Patience, "watch", watch)
    async with asyncio.timeout(10):
        with pytest.raises(client.KafkaAwayError, match="no answer from Kafka at a:1 for 60 s"):
            async with rewriting.patient("a:1"):
                await asyncio.Event().wait()


async def test_a_tool_that_is_broken_off_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = asyncio.Event()

    @asynccontextmanager
    async def opened(_bootstrap: str) -> AsyncIterator[Any]:
        yield SimpleNamespace(_client=None)

    async def watch(_: Patience) -> None:
        await asyncio.Event().wait()

    async def work() -> None:
        async with rewriting.patient("a:1"):
            begun.set()
            await asyncio.Event().wait()

    monkeypatch.setattr(rewriting, "opened_consumer", opened)
    monkeypatch.setattr(Patience, "watch", watch)
    working = asyncio.create_task(work())
    await begun.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working


class Writer:
    """A journal's writer whose last batch nobody acknowledges: it is not closed before that."""

    topic, partition = "journal", 0

    async def fence(self) -> int:
        return 7

    async def close(self) -> None:
        await asyncio.Event().wait()


async def test_a_tool_does_not_wait_for_a_batch_that_nobody_acknowledges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "STOP_SECONDS", 0.01)
    writer: Any = Writer()

    async def work() -> None:
        async with rewriting.fenced(writer) as (_, fence):
            assert fence == 7
            raise client.KafkaAwayError

    async with asyncio.timeout(10):
        with pytest.raises(client.KafkaAwayError):
            await work()
