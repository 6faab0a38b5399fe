"""A broker goes away between two requests, or has only just come, and what aiokafka makes of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest
import uvloop
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError, NodeNotReadyError
from aiokafka.protocol.admin import ApiVersionRequest
from yarl import URL

from app.streams import client, connection
from app.streams.consumer import LaneThread
from tests.switched import both


@asynccontextmanager
async def connected() -> AsyncIterator[AIOKafkaConnection]:
    """Yield a connection to a server that answers nothing."""
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    async with server:
        conn = AIOKafkaConnection("127.0.0.1", server.sockets[0].getsockname()[1])
        await conn.connect()
        yield conn
        conn.close()


@pytest.fixture(autouse=True)
def _no_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask nobody for versions."""

    async def looked_up(_: AIOKafkaConnection) -> None: ...

    monkeypatch.setattr(AIOKafkaConnection, "_do_version_lookup", looked_up)


@both
def test_a_connection_closed_beneath_a_request_is_one_that_broke(monkeypatch: pytest.MonkeyPatch, *, on: bool) -> None:
    async def ask() -> None:
        async with connected() as conn:
            conn._read_task.cancel()  # who reads has not noticed yet
            conn._writer.transport.abort()
            await conn._closed_fut
            await conn.send(ApiVersionRequest())

    monkeypatch.setattr(AIOKafkaConnection, "send", connection._send)
    if on:
        connection.mend()
    with (
        pytest.raises(KafkaConnectionError if on else RuntimeError, match="closed"),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(ask())


def test_any_other_runtime_error_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(*_: object) -> None:
        raise RuntimeError("a mistake")

    async def ask() -> None:
        async with connected() as conn:
            conn.send(ApiVersionRequest())

    monkeypatch.setattr(AIOKafkaConnection, "send", connection._sent)
    monkeypatch.setattr(connection, "_send", mistaken)
    with (
        pytest.raises(RuntimeError, match="a mistake"),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(ask())


@both
async def test_a_coordinator_is_asked_for_again_once_a_broker_is_known(
    monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    monkeypatch.setattr(AIOKafkaClient, "coordinator_lookup", connection._lookup)
    if on:
        monkeypatch.setattr(AIOKafkaConnection, "send", connection._send)
        connection.mend()
    client = AIOKafkaClient()  # as after the answer of a broker that is only starting
    with pytest.raises(NodeNotReadyError if on else AssertionError):
        await client.coordinator_lookup(1, "t1-0")


class Transport:
    """Where Faust's consumer takes its broker's address from."""

    url: ClassVar[list[URL]] = [URL("kafka://127.0.0.1:1")]
    default_port = 9092


class Client:
    """A consumer whose broker is away the first two times."""

    made: ClassVar[list["Client"]] = []

    def __init__(self) -> None:
        self.closed = False
        self.made.append(self)

    async def start(self) -> None:
        if len(self.made) < 3:
            raise KafkaConnectionError("Unable to bootstrap from [('127.0.0.1', 1)]")

    async def stop(self) -> None:
        self.closed = True


@both
async def test_a_group_member_waits_for_a_broker_that_is_away_as_it_starts(
    monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    monkeypatch.setattr(client, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(Client, "made", [])
    thread: Any = LaneThread.__new__(LaneThread)
    thread.transport, thread.thread_loop = Transport, None
    monkeypatch.setattr(LaneThread, "_create_consumer", lambda _self, loop: Client())
    if not on:
        monkeypatch.delattr(LaneThread, "on_start")  # Faust's own is left
        with pytest.raises(KafkaConnectionError):
            await thread.on_start()
        return
    await thread.on_start()
    assert [each.closed for each in Client.made] == [True, True, False]
    assert thread._consumer is Client.made[-1]
