"""The table of all topics (ARCHITECTURE.md, section 1): creating what is missing, refusing what is otherwise."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from app.errors import WhimbrelError
from app.streams.client import opened_admin
from app.streams.names import Names

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
DELETE_RETENTION_MS: Final = 7 * DAY_MS
"""How long a journal keeps tombstones: a copy of the store older than half of it must not be caught up with."""
JOURNAL_BYTES: Final = 8 << 20
"""The largest record batch of a journal, and so the largest batch of a lane."""
OUTPUT_BYTES: Final = 1 << 20
"""The least that a topic of outputs takes at once: what Kafka's own default is, more than outputs.py sends."""
REPLICATION: Final = 3
CREATE_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.05

# What may be more than the table says without harm; every other setting must be equal.
LEAST: Final = frozenset(
    {
        "retention.ms",
        "max.message.bytes",
        "segment.bytes",
        "min.compaction.lag.ms",
        "delete.retention.ms",
        "min.insync.replicas",
    }
)
UNLIMITED: Final = "-1"


class TopicsError(WhimbrelError):
    """The topics are not what they must be."""


@dataclass(frozen=True)
class Topic:
    """A topic as it must be. What upstream owns (`owned` False) is created so, but held only to its cleanup policy."""

    name: str
    partitions: int
    settings: Mapping[str, str]
    owned: bool = True

    @property
    def compared(self) -> dict[str, str]:
        """The settings that an existing topic is held to: a segment of it must take the largest batch, too."""
        if not self.owned:
            return {"cleanup.policy": self.settings["cleanup.policy"]}
        held = {name: value for name, value in self.settings.items() if name != "segment.ms"}
        largest = held.get("max.message.bytes")
        return held if largest is None else held | {"segment.bytes": largest}


@dataclass(frozen=True)
class Found:
    """A topic as it is; `settings` are the values in force, inherited ones too."""

    partitions: int
    settings: Mapping[str, str]


def table(names: Names, partitions: int, replication: int) -> tuple[Topic, ...]:
    """Return every topic, with `partitions` each, and settings for `replication` copies."""
    durable = {"min.insync.replicas": "2"} if replication >= REPLICATION else {}

    def keeping(days: int, **more: str) -> dict[str, str]:
        dotted = {name.replace("_", "."): value for name, value in more.items()}
        return {"cleanup.policy": "delete", "retention.ms": str(days * DAY_MS), **dotted, **durable}

    append_time = {"message.timestamp.type": "LogAppendTime"}
    journal = {
        "cleanup.policy": "compact",
        **append_time,
        "min.compaction.lag.ms": str(DAY_MS),
        "delete.retention.ms": str(DELETE_RETENTION_MS),
        "max.message.bytes": str(JOURNAL_BYTES),
        **durable,
    }
    facts = keeping(30, max_message_bytes=str(4 << 20))
    ticks = keeping(1) | append_time | {"segment.ms": str(HOUR_MS)}
    config = {"cleanup.policy": "compact", "max.message.bytes": str(4 << 20), **append_time, **durable}
    # What is on its way to people holds addresses and links: it goes soon after the last attempt, 3 days on.
    on_its_way, long = (keeping(days, max_message_bytes=str(OUTPUT_BYTES)) for days in (7, 400))
    return (
        *(Topic(name, partitions, facts, owned=False) for name in names.facts),
        Topic(names.ticks, partitions, ticks),
        Topic(names.config, 1, config),
        *(Topic(name, partitions, on_its_way) for name in (names.outbox, names.returns)),
        Topic(names.replays, partitions, on_its_way | {"max.message.bytes": facts["max.message.bytes"]}),
        *(Topic(name, partitions, long) for name in (names.decisions, names.deliveries, names.dead_letters)),
        *(Topic(name, partitions, journal) for name in (names.book_journal, names.attempts_journal)),
    )


def mismatches(topic: Topic, found: Found, bootstrap: str) -> list[str]:
    """Say what of an existing topic is not as it must be, and how to mend each."""
    said = []
    if found.partitions != topic.partitions:
        said.append(
            f"{topic.name}: has {found.partitions} partitions, must have {topic.partitions}; adding some would part an"
            f" account from its state: use --partitions {found.partitions} for all (whimbrel topics grow gives"
            " all of them more), or, if nothing in it is needed,"
            f"\n    kafka-topics.sh --bootstrap-server {bootstrap} --delete --topic {topic.name}"
        )
    for name, wanted in topic.compared.items():
        value = found.settings.get(name, "")
        if not _serves(name, value, wanted):
            least = "at least " if name in LEAST else ""
            said.append(
                f"{topic.name}: {name} is {value or 'not set'}, must be {least}{wanted}:"
                f"\n    kafka-configs.sh --bootstrap-server {bootstrap} --alter --entity-type topics"
                f" --entity-name {topic.name} --add-config {name}={wanted}"
            )
    return said


def _serves(name: str, value: str, wanted: str) -> bool:
    if name not in LEAST or not value:
        return value == wanted
    return int(value) >= int(wanted) or (name == "retention.ms" and value == UNLIMITED)


async def create(bootstrap: str, names: Names, partitions: int, replication: int | None = None) -> list[Topic]:
    """Create the topics that are missing, and return them.

    `replication` None: 3 copies, or as many as there are brokers. Raises TopicsError with every mismatch of those that
    exist, before anything is created.
    """
    async with opened_admin(bootstrap) as admin:
        cluster = await admin.describe_cluster()
        copies = replication or min(REPLICATION, len(cluster["brokers"]))
        topics = table(names, partitions, copies)
        missing = await _missing(admin, topics, bootstrap)
        if missing:
            await _create(admin, missing, copies)
            await _await_all(admin, topics, bootstrap)
        return missing


async def _missing(admin: AIOKafkaAdminClient, topics: Sequence[Topic], bootstrap: str) -> list[Topic]:
    found = await _describe(admin, [topic.name for topic in topics])
    there = [topic for topic in topics if topic.name in found]
    wrong = [line for topic in there for line in mismatches(topic, found[topic.name], bootstrap)]
    if wrong:
        raise TopicsError("topics are not what they must be; mend them, then run this again\n  " + "\n  ".join(wrong))
    return [topic for topic in topics if topic.name not in found]


async def _describe(admin: AIOKafkaAdminClient, wanted: Sequence[str]) -> dict[str, Found]:
    # All topics are asked for: naming one that is not there creates it where the broker does so by itself.
    counts = {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics()}
    names = [name for name in wanted if name in counts]
    if not names:
        return {}
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    found = {}
    for code, message, _, name, entries in (resource for answer in answers for resource in answer.resources):
        # A broker that was asked may not know yet of a topic just made.
        if code and for_code(code) is not UnknownTopicOrPartitionError:
            raise TopicsError(f"{name}: its settings cannot be read: {message}")
        if not code:
            found[name] = Found(counts[name], {entry[0]: entry[1] or "" for entry in entries})
    return found


async def _create(admin: AIOKafkaAdminClient, topics: Sequence[Topic], copies: int) -> None:
    new = [NewTopic(topic.name, topic.partitions, copies, topic_configs=dict(topic.settings)) for topic in topics]
    answer = await admin.create_topics(new, timeout_ms=round(CREATE_SECONDS * 1000))
    # What somebody else has made meanwhile is compared like everything that was there before.
    refused = [
        f"{name}: {message or for_code(code).__name__}"
        for name, code, message in answer.topic_errors
        if code and for_code(code) is not TopicAlreadyExistsError
    ]
    if refused:
        raise TopicsError("\n".join(refused))


async def _await_all(admin: AIOKafkaAdminClient, topics: Sequence[Topic], bootstrap: str) -> None:
    """Return when the topics are known: their creation is acknowledged before that."""
    deadline = asyncio.get_running_loop().time() + CREATE_SECONDS
    while missing := await _missing(admin, topics, bootstrap):
        if asyncio.get_running_loop().time() > deadline:
            raise TopicsError(f"created but not seen for {CREATE_SECONDS:.0f} s: {missing[0].name}")
        await asyncio.sleep(LOOK_SECONDS)
