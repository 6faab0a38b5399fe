"""One real broker for the whole session; each test has topics of its own behind a prefix."""

import itertools
import os
from collections.abc import AsyncIterator, Iterator

import pytest

from app.dev.jars import ToolMissingError
from app.dev.kafka import DevKafka
from app.streams import topics
from app.streams.names import Names
from app.streams.outputs import open_producer
from app.streams.patience import Patience

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def kafka() -> Iterator[DevKafka]:
    """A running broker. A test that kills or stops it takes a DevKafka of its own."""
    broker = DevKafka()
    try:
        broker.start()
    except ToolMissingError as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must run the tests on real Kafka: {missing}")
        pytest.skip(f"NOT TESTED ON REAL KAFKA: {missing}")
    with broker:
        yield broker


@pytest.fixture
def own_kafka(kafka: DevKafka) -> Iterator[DevKafka]:
    """A broker that the test may end."""
    del kafka  # says loudly what is missing
    with DevKafka() as broker:
        yield broker


@pytest.fixture
def names() -> Names:
    """Names of topics that no other test uses."""
    return Names(f"t{next(_numbers)}.")


@pytest.fixture
async def journal(kafka: DevKafka, names: Names) -> str:
    """A journal of one partition."""
    await topics.create(kafka.bootstrap, names, 1, 1)
    return names.book_journal


@pytest.fixture
async def patient(kafka: DevKafka) -> AsyncIterator[Patience]:
    """Patience with the broker."""
    producer = await open_producer(kafka.bootstrap)
    try:
        yield Patience(producer.client, kafka.bootstrap)
    finally:
        await producer.stop()
