"""How long a broker that is away is waited for, and who says that it is; what one says that refuses."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    InvalidTimestampError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from app.errors import WhimbrelError
from app.streams.client import KafkaAwayError, TopicMissingError

AWAY_SECONDS: Final = 60.0
UNACKNOWLEDGED_SECONDS: Final = 30.0
ASK_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 5.0
QUIET_SECONDS: Final = ASK_SECONDS + ANSWER_SECONDS
"""Between two answers of brokers that answer, at the most."""

TOO_LARGE: Final = "max.message.bytes or segment.bytes is too small there; whimbrel topics create says how to mend it"
REFUSALS: Final[Mapping[type[KafkaError], str]] = {
    MessageSizeTooLargeError: TOO_LARGE,
    RecordListTooLargeError: TOO_LARGE,
    TopicAuthorizationFailedError: "grant Write on the topic",
    InvalidTimestampError: "this machine's clock is too far off the broker's",
}
"""What no later try changes by itself, and what does."""

T = TypeVar("T")


class WriteRefusedError(WhimbrelError):
    """The broker does not take what is written."""


class Patience:
    """Asks the brokers for a sign of life, and bounds every wait by the answers."""

    def __init__(self, client: AIOKafkaClient, bootstrap: str) -> None:
        """Ask through `client`."""
        self._client = client
        self._bootstrap = bootstrap
        self._answered = self._answering = _now()

    @property
    def silent_seconds(self) -> float:
        """Seconds since the brokers' last answer."""
        return _now() - self._answered

    async def watch(self) -> None:
        """Ask on and on; raise `KafkaAwayError` after 60 s of silence."""
        while True:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._client.fetch_all_metadata()
                self.heard()
            except (KafkaError, TimeoutError) as error:
                if self.silent_seconds > AWAY_SECONDS:
                    raise KafkaAwayError(
                        f"no answer from Kafka at {self._bootstrap} for {AWAY_SECONDS:.0f} s"
                    ) from error
            await asyncio.sleep(ASK_SECONDS)

    def heard(self) -> None:
        """Note an answer, and whether it is the first after a silence."""
        now = _now()
        if self.silent_seconds > QUIET_SECONDS:
            self._answering = now
        self._answered = now

    async def answered(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Return the answer to a question about the log; while the brokers are silent, `watch` counts the seconds.

        The client asks on for 40 s by itself. Raises `KafkaAwayError` where brokers answer all the while, but not this.
        """
        while True:
            begun = _now()
            try:
                return await ask()
            except KafkaTimeoutError as error:
                if self._has_answered_since(begun):
                    raise KafkaAwayError(f"brokers answer, but not where a topic begins or ends: {error}") from error

    async def sent(self, send: Callable[[], Awaitable[asyncio.Future[Any]]], topic: str) -> asyncio.Future[Any]:
        """Hand a record batch for the topic to the client; return its acknowledgement to come.

        Of a topic that it has not written to yet, the client asks the brokers first where it is. Raises
        `TopicMissingError` where brokers that answer do not know it, `WriteRefusedError` where they do not say, and
        `KafkaAwayError` where the batch has to wait behind another; while they are silent, `watch` counts the seconds.
        """
        while True:
            begun = _now()
            try:
                return await send()
            except tuple(REFUSALS) as error:
                raise _refused(topic, error) from error
            except KafkaTimeoutError as error:
                if self._has_answered_since(begun):
                    raise KafkaAwayError(f"{topic}: a batch waits in vain to be sent behind another") from error
            except UnknownTopicOrPartitionError as error:
                if self._has_answered_since(begun):
                    raise TopicMissingError(topic) from error

    async def acknowledged(self, future: asyncio.Future[Any], what: str) -> Any:
        """Return the acknowledgement of a record batch; `what` says where it goes.

        Raises `WriteRefusedError` where the broker will not have it, and `KafkaAwayError` where brokers that answer do
        not give it for 30 s; while they are silent, `watch` counts the seconds. An idempotent batch never expires by
        itself: it may be appended after all, so the process must end.
        """
        begun, left = _now(), UNACKNOWLEDGED_SECONDS
        while left > 0:
            done, _ = await asyncio.wait([future], timeout=left)
            if done:
                return _result(future, what)
            left = self._left(begun)
        raise KafkaAwayError(f"{what}: not acknowledged for {UNACKNOWLEDGED_SECONDS:.0f} s")

    def _has_answered_since(self, begun: float) -> bool:
        """Tell whether brokers have answered all the while."""
        return self._answering <= begun and self.silent_seconds <= QUIET_SECONDS

    def _left(self, begun: float) -> float:
        """Return for how many seconds what was written at `begun` may still wait: they pass while brokers answer."""
        if self.silent_seconds > QUIET_SECONDS:
            return UNACKNOWLEDGED_SECONDS
        return max(begun, self._answering) + UNACKNOWLEDGED_SECONDS - _now()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _result(future: asyncio.Future[Any], what: str) -> Any:
    try:
        return future.result()
    except tuple(REFUSALS) as error:
        raise _refused(what, error) from error


def _refused(what: str, error: KafkaError) -> WriteRefusedError:
    return WriteRefusedError(f"{what}: the broker refuses the batch: {REFUSALS[type(error)]}")
