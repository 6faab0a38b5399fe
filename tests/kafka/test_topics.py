import re

import pytest
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from app.dev.kafka import DevKafka
from app.streams.client import opened_admin
from app.streams.names import Names
from app.streams.topics import Found, Topic, TopicsError, create, mismatches, table
from tests.kafka.waiting import eventually

pytestmark = pytest.mark.kafka


async def test_what_is_missing_is_created_once(kafka: DevKafka, names: Names) -> None:
    first = await create(kafka.bootstrap, names, 3)
    assert [topic.name for topic in first] == [topic.name for topic in table(names, 3, 1)]
    assert await create(kafka.bootstrap, names, 3) == []


async def test_every_topic_has_n_partitions_but_config_one(kafka: DevKafka, names: Names) -> None:
    await create(kafka.bootstrap, names, 3)
    async with opened_admin(kafka.bootstrap) as admin:
        counts = {
            each["topic"]: len(each["partitions"])
            for each in await admin.describe_topics()
            if each["topic"].startswith(names.prefix)
        }
    assert counts.pop(names.config) == 1
    assert set(counts.values()) == {3}
    assert len(counts) == 12


async def test_all_mismatches_are_refused_at_once_and_nothing_is_created(kafka: DevKafka, names: Names) -> None:
    async def seen() -> bool:
        there = [ConfigResource(ConfigResourceType.TOPIC, name) for name in (names.billing, names.ticks, names.jobs)]
        answers = await admin.describe_configs(there)
        known = {each["topic"] for each in await admin.describe_topics()}
        return known >= {each.name for each in there} and not any(r[0] for answer in answers for r in answer.resources)

    async with opened_admin(kafka.bootstrap) as admin:
        await admin.create_topics(
            [
                NewTopic(names.billing, 5, 1, topic_configs={"cleanup.policy": "compact"}),
                NewTopic(names.ticks, 2, 1, topic_configs={"message.timestamp.type": "CreateTime"}),
                NewTopic(names.jobs, 2, 1, topic_configs={"retention.ms": "1000"}),
            ]
        )
        await eventually(seen)  # creation is acknowledged before that
        with pytest.raises(TopicsError) as refusal:
            await create(kafka.bootstrap, names, 2)
        said = str(refusal.value)
        assert f"{names.billing}: has 5 partitions, must have 2" in said
        assert f"{names.billing}: cleanup.policy is compact, must be delete" in said
        assert f"{names.ticks}: message.timestamp.type is CreateTime, must be LogAppendTime" in said
        assert f"--entity-name {names.ticks} --add-config message.timestamp.type=LogAppendTime" in said
        assert names.jobs not in said
        assert names.decisions not in await admin.list_topics()


async def test_the_line_that_mends_a_topic_names_one_that_can_be_run_as_it_stands(names: Names) -> None:
    topic = Topic("t", 4, {"cleanup.policy": "compact"})
    (line,) = mismatches(topic, Found(4, {"cleanup.policy": "delete"}), "host:1")
    assert re.search(
        r"^    kafka-configs.sh --bootstrap-server host:1 --alter --entity-type topics --entity-name t"
        r" --add-config cleanup.policy=compact$",
        line,
        re.MULTILINE,
    )


@pytest.mark.parametrize(
    ("name", "value", "refusals"),
    [
        ("retention.ms", "200", 0),
        ("retention.ms", "99", 1),
        ("retention.ms", "-1", 0),
        ("max.message.bytes", "99", 1),
        ("max.message.bytes", "101", 0),
    ],
)
def test_more_room_than_needed_is_accepted_and_less_is_not(name: str, value: str, refusals: int) -> None:
    found = Found(1, {"segment.bytes": "1000", name: value})
    assert len(mismatches(Topic("t", 1, {name: "100"}), found, "host:1")) == refusals


@pytest.mark.parametrize(("segment", "refused"), [("99", True), ("100", False), ("1000", False)])
def test_a_segment_must_take_the_largest_batch(segment: str, *, refused: bool) -> None:
    found = Found(1, {"max.message.bytes": "200", "segment.bytes": segment})
    said = "\n".join(mismatches(Topic("t", 1, {"max.message.bytes": "100"}), found, "host:1"))
    assert (f"t: segment.bytes is {segment}, must be at least 100:" in said) == refused
    assert ("--add-config segment.bytes=100" in said) == refused


def test_what_is_created_leaves_its_segments_to_the_broker() -> None:
    assert all("segment.bytes" not in topic.settings for topic in table(Names(), 1, 1))


def test_three_copies_need_two_in_sync_where_data_are_ours_or_not() -> None:
    assert all(topic.settings["min.insync.replicas"] == "2" for topic in table(Names(), 1, 3))
    assert all("min.insync.replicas" not in topic.settings for topic in table(Names(), 1, 1))
