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

from app.streams.patience import Patience, WriteRefusedError


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
