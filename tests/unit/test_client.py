"""What a client does where one broker of several is away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import NodeNotReadyError

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
