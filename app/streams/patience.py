"""How long a broker that is away is waited for, and who says that it is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError

from app.streams.client import KafkaAwayError

AWAY_SECONDS: Final = 60.0
UNACKNOWLEDGED_SECONDS: Final = 30.0
ASK_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 5.0

T = TypeVar("T")


class Patience:
    """Asks the brokers for a sign of life, and bounds every wait by the answers."""

    def __init__(self, client: AIOKafkaClient, bootstrap: str) -> None:
        """Ask through `client`."""
        self._client = client
        self._bootstrap = bootstrap
        self._answered = asyncio.get_running_loop().time()

    @property
    def silent_seconds(self) -> float:
        """Seconds since the brokers' last answer."""
        return asyncio.get_running_loop().time() - self._answered

    async def watch(self) -> None:
        """Ask on and on; raise `KafkaAwayError` after 60 s of silence."""
        while True:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._client.fetch_all_metadata()
                self._answered = asyncio.get_running_loop().time()
            except (KafkaError, TimeoutError) as error:
                if self.silent_seconds > AWAY_SECONDS:
                    raise KafkaAwayError(
                        f"no answer from Kafka at {self._bootstrap} for {AWAY_SECONDS:.0f} s"
                    ) from error
            await asyncio.sleep(ASK_SECONDS)

    async def answered(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Return the answer to a question about the log; while the brokers are silent, `watch` counts the seconds."""
        while True:
            try:
                return await ask()
            except (KafkaTimeoutError, KafkaConnectionError):
                if self.silent_seconds < UNACKNOWLEDGED_SECONDS:
                    raise

    async def acknowledged(self, future: asyncio.Future[Any], what: str) -> Any:
        """Return the acknowledgement of a record batch.

        Raises `KafkaAwayError` where brokers that answer do not give it for 30 s; while they are silent, `watch` counts
        the seconds. An idempotent batch never expires by itself: it may be appended after all, so the process must end.
        """
        while True:
            done, _ = await asyncio.wait([future], timeout=UNACKNOWLEDGED_SECONDS)
            if done:
                return future.result()
            if self.silent_seconds < UNACKNOWLEDGED_SECONDS:
                raise KafkaAwayError(f"{what}: not acknowledged for {UNACKNOWLEDGED_SECONDS:.0f} s")
