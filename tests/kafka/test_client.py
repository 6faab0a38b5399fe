import asyncio
from contextlib import aclosing

import pytest
from aiokafka import AIOKafkaProducer

from app.dev.kafka import DevKafka, free_port
from app.streams import client
from app.streams.client import KafkaAwayError, TopicMissingError, append, newest, read, records
from app.streams.names import Names
from app.streams.topics import create

pytestmark = pytest.mark.kafka


async def test_a_topic_is_read_to_its_end(kafka: DevKafka, names: Names) -> None:
    await create(kafka.bootstrap, names, 2)
    assert await read(kafka.bootstrap, names.decisions) == []
    for number in range(5):
        await append(kafka.bootstrap, names.decisions, str(number).encode(), b"v")
    assert {record.key for record in await read(kafka.bootstrap, names.decisions)} == {b"0", b"1", b"2", b"3", b"4"}


async def test_the_end_is_found_behind_transactions_committed_and_aborted(kafka: DevKafka, names: Names) -> None:
    await create(kafka.bootstrap, names, 1)
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=names.prefix) as upstream:
        async with upstream.transaction():
            await upstream.send_and_wait(names.billing, b"committed")
        await upstream.begin_transaction()
        await upstream.send_and_wait(names.billing, b"aborted")
        await upstream.abort_transaction()
    assert [record.value for record in await read(kafka.bootstrap, names.billing)] == [b"committed"]


async def test_the_newest_record_is_the_last(kafka: DevKafka, names: Names) -> None:
    await create(kafka.bootstrap, names, 2)
    assert await newest(kafka.bootstrap, names.config) is None
    for value in (b"1", b"2"):
        await append(kafka.bootstrap, names.config, b"config", value)
    last = await newest(kafka.bootstrap, names.config)
    assert last is not None
    assert (last.offset, last.value) == (1, b"2")


async def test_followed_a_topic_goes_on(kafka: DevKafka, names: Names) -> None:
    await create(kafka.bootstrap, names, 2)
    await append(kafka.bootstrap, names.outbox, b"a", b"before")
    async with asyncio.timeout(30), aclosing(records(kafka.bootstrap, names.outbox, follow=True)) as each:
        assert (await anext(each)).value == b"before"
        await append(kafka.bootstrap, names.outbox, b"b", b"after")
        assert (await anext(each)).value == b"after"


async def test_a_missing_topic_is_refused_by_name(kafka: DevKafka, names: Names) -> None:
    with pytest.raises(TopicMissingError, match=f"topic {names.outbox} does not exist"):
        await read(kafka.bootstrap, names.outbox)
    with pytest.raises(TopicMissingError, match=f"topic {names.outbox} does not exist"):
        await append(kafka.bootstrap, names.outbox, None, b"")


async def test_a_broker_that_comes_late_is_waited_for(kafka: DevKafka, names: Names) -> None:
    with DevKafka() as late:
        late.kill()
        waiting = asyncio.create_task(create(late.bootstrap, names, 1))
        await asyncio.to_thread(late.start)
        assert await waiting


async def test_a_broker_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PATIENCE_SECONDS", 1.0)
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(KafkaAwayError, match=f"no Kafka at {address}"):
        await read(address, "any")
