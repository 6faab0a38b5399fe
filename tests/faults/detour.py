"""A broker with a second way to it, on which what a worker writes can be held up and delivered late.

`detoured()` yields a broker of its own and a `Detour`: a client that bootstraps at `detour.bootstrap` reaches the
broker through it alone. `hold(topic)` keeps back each Produce request that names the topic, and whatever comes after it
on its connection, also when the client is dead by then; `caught(4)` returns once four connections have one; `release()`
hands all of it to the broker, which is how a late writer's batch arrives, and returns the error codes of the answers.
"""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from app.dev.kafka import HOST, DevKafka, free_port

PRODUCE = 0
NO_ERROR, INVALID_PRODUCER_EPOCH, PRODUCER_FENCED = 0, 47, 90
CATCH_SECONDS = 30.0
ANSWER_SECONDS = 10.0


class Line:
    """One connection of a client's, carried on to the broker."""

    def __init__(self, answers: asyncio.StreamReader, broker: asyncio.StreamWriter) -> None:
        self.held: list[bytes] = []
        self.errors: dict[int, int] = {}
        """Error codes of the answers to Produce requests that were held, by correlation id."""
        self._waiting: set[int] = set()
        self._answers = answers
        self._broker = broker
        self._answered = asyncio.Condition()

    @property
    def owing(self) -> bool:
        """Tell whether a request is held, or was and has no answer yet."""
        return bool(self.held) or not self._waiting <= self.errors.keys()

    def hold(self, frame: bytes) -> None:
        """Keep a request back."""
        self.held.append(frame)
        if is_produce(frame):
            self._waiting.add(correlation(frame))

    def carry(self, frame: bytes) -> None:
        """Hand a request on."""
        self._broker.write(frame)

    async def release(self) -> list[int]:
        """Hand on what was held; return the answers' error codes."""
        for frame in self.held:
            self.carry(frame)
        self.held.clear()
        async with asyncio.timeout(ANSWER_SECONDS), self._answered:
            await self._answered.wait_for(lambda: not self.owing)
        return list(self.errors.values())

    async def back(self, client: asyncio.StreamWriter) -> None:
        """Carry the answers back, to the end; the client may be gone."""
        while frame := await read_frame(self._answers):
            number = struct.unpack_from(">i", frame, 4)[0]
            if number in self._waiting:
                async with self._answered:
                    self.errors[number] = error_of_produce(frame)
                    self._answered.notify_all()
            with suppress(ConnectionError):
                client.write(frame)
        client.close()

    def close(self) -> None:
        """Hang up on the broker."""
        self._broker.close()


class Detour:
    """See the module."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._holding: bytes | None = None
        self._caught = asyncio.Event()
        self._lines: list[Line] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def bootstrap(self) -> str:
        """The address for clients."""
        return f"{HOST}:{self.port}"

    def hold(self, topic: str) -> None:
        """Keep back what is written to the topic from now on."""
        self._holding = topic.encode()

    async def caught(self, connections: int) -> None:
        """Return once a write is held on each of so many connections."""
        async with asyncio.timeout(CATCH_SECONDS):
            while sum(bool(line.held) for line in self._lines) < connections:
                self._caught.clear()
                await self._caught.wait()

    async def release(self) -> list[int]:
        """Deliver what is held; return the broker's error codes, 0 where it took the batch."""
        self._holding = None
        return [error for line in self._lines if line.held for error in await line.release()]

    async def serve(self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        """Carry one client's requests."""
        try:
            line = Line(*await asyncio.open_connection(HOST, self._target))
        except ConnectionError:
            client_out.close()  # the broker is away, and so is the way to it
            return
        self._lines.append(line)
        task = asyncio.create_task(line.back(client_out))
        self._tasks.add(task)
        with suppress(ConnectionError):
            while frame := await read_frame(client_in):
                if line.held or self._catches(frame):
                    line.hold(frame)
                    self._caught.set()
                else:
                    line.carry(frame)
        if not line.owing:
            line.close()

    def _catches(self, frame: bytes) -> bool:
        return self._holding is not None and is_produce(frame) and self._holding in frame

    def end(self) -> None:
        """Hang up on everybody."""
        for line in self._lines:
            line.close()
        for task in self._tasks:
            task.cancel()


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """Return the next request or answer, its size included; empty at the end."""
    try:
        size = await reader.readexactly(4)
        return size + await reader.readexactly(struct.unpack(">i", size)[0])
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


def is_produce(frame: bytes) -> bool:
    """Tell whether a request's API is Produce."""
    return bool(struct.unpack_from(">h", frame, 4)[0] == PRODUCE)


def correlation(frame: bytes) -> int:
    """Return a request's correlation id."""
    number: int = struct.unpack_from(">i", frame, 8)[0]
    return number


def error_of_produce(frame: bytes) -> int:
    """Return the error code for the first partition of a Produce answer (versions below the flexible ones)."""
    topic_at = 4 + 4 + 4  # size, correlation id, number of topics
    name = struct.unpack_from(">h", frame, topic_at)[0]
    error: int = struct.unpack_from(">h", frame, topic_at + 2 + name + 4 + 4)[0]  # number of partitions, partition
    return error


@asynccontextmanager
async def detoured() -> AsyncIterator[tuple[DevKafka, Detour]]:
    """Run a broker that also listens behind a detour."""
    behind = free_port()
    detour = Detour(behind)
    server = await asyncio.start_server(detour.serve, HOST)
    detour.port = server.sockets[0].getsockname()[1]
    properties: dict[str, str] = {}
    broker = DevKafka(properties=properties)
    properties |= {
        "listeners": f"PLAINTEXT://{broker.bootstrap},CONTROLLER://{broker.controller},SLOW://{HOST}:{behind}",
        "advertised.listeners": f"PLAINTEXT://{broker.bootstrap},SLOW://{detour.bootstrap}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SLOW:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
    }
    try:
        with broker:
            yield broker, detour
    finally:
        detour.end()
        server.close()
