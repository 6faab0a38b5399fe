import asyncio
from contextlib import aclosing

import orjson
import pytest

from app.cli.decisions import unrepeated
from app.dev.kafka import DevKafka
from app.streams.client import opened_producer
from app.streams.names import Names
from app.streams.topics import create

pytestmark = pytest.mark.kafka


async def decide(kafka: DevKafka, names: Names, *decisions: tuple[str, str, str]) -> None:
    async with opened_producer(kafka.bootstrap) as producer:
        for account, rule, output_id in decisions:
            value = orjson.dumps({"format": 1, "account_id": account, "rule": rule})
            headers = [("whimbrel-id", output_id.encode())]
            await producer.send_and_wait(names.decisions, value, account.encode(), headers=headers)


async def rules(kafka: DevKafka, names: Names, account: str | None) -> list[str]:
    each = unrepeated(kafka.bootstrap, names.decisions, account, follow=False)
    return sorted([decision["rule"] async for decision in each])


async def test_decisions_sent_again_after_a_restart_are_shown_once(kafka: DevKafka, names: Names) -> None:
    await create(kafka.bootstrap, names, 1)
    await decide(kafka, names, ("a1", "one", "j/0/5/0"), ("a2", "two", "j/0/5/1"))
    await decide(kafka, names, ("a1", "one", "j/0/5/0"), ("a2", "two", "j/0/5/1"), ("a1", "three", "j/0/9/0"))
    assert await rules(kafka, names, None) == ["one", "three", "two"]
    assert await rules(kafka, names, "a1") == ["one", "three"]


async def test_followed_they_go_on(kafka: DevKafka, names: Names) -> None:
    await create(kafka.bootstrap, names, 2)
    await decide(kafka, names, ("a1", "one", "j/0/5/0"))
    each = unrepeated(kafka.bootstrap, names.decisions, "a1", follow=True)
    async with asyncio.timeout(30), aclosing(each) as decisions:
        assert (await anext(decisions))["rule"] == "one"
        await decide(kafka, names, ("a2", "no", "j/1/6/0"), ("a1", "one", "j/0/5/0"), ("a1", "two", "j/0/7/0"))
        assert (await anext(decisions))["rule"] == "two"
