"""What a client does where one broker of several is away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError, NodeNotReadyError, TopicAuthorizationFailedError

from app.streams import client


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
