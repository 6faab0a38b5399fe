import asyncio
import json
from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from app.contract.instants import DAY, HOUR, MINUTE, format_instant, parse_instant
from app.dev import publish
from app.dev.kafka import DevKafka
from app.dev.play import lines_of, play
from app.dev.publish import Progress, PublishError, publish_lines, publish_played
from app.engine.records import Record
from app.simulate.run import Pause, Span
from app.streams.client import KafkaAwayError, TopicMissingError, append, opened_consumer, read
from app.streams.names import Names
from app.streams.topics import create
from tests.kafka.fleet import end_of

pytestmark = pytest.mark.kafka

BEGIN = parse_instant("2026-06-01T00:00:00Z")
TYPES = ("billing.card.removed", "jobs.job.unscheduled", "portal.contact.preferences_changed")


def a_line(number: int, minutes: int, subject: str | None = None, **more: object) -> bytes:
    event = {
        "specversion": "1.0",
        "id": f"e{number}",
        "source": "test",
        "type": TYPES[number % 3],
        "subject": subject or f"a{number % 17}",
        "time": format_instant(BEGIN + minutes * MINUTE),
        "data": {"card_id": "c", "job_id": "j", "contact_id": "k"},
    }
    return json.dumps(event | more).encode() + b"\n"


def header(record: Record, name: str) -> str | None:
    return next((value.decode() for key, value in record.headers if key == name), None)


async def everything(kafka: DevKafka, topics: Sequence[str]) -> list[Record]:
    return [record for topic in topics for record in await read(kafka.bootstrap, topic)]


async def test_lines_go_to_their_topics_with_their_bytes_and_keys_and_no_headers(kafka: DevKafka, names: Names) -> None:
    await create(kafka.bootstrap, names, 3)
    lines = [a_line(number, number) for number in range(30)] + [b"no json\n", b'{"subject": "a1"}\n']
    progress = await publish_lines(kafka.bootstrap, names, lines_of(lines))
    assert progress == Progress(None, 32, 0)
    records = await everything(kafka, names.facts)
    assert sorted(record.value or b"" for record in records) == sorted(line.rstrip() for line in lines)
    assert all(not record.headers for record in records)
    keys = {record.value: (record.topic, record.key) for record in records}
    assert keys[lines[1].rstrip()] == (names.jobs, b"a1")
    assert keys[lines[2].rstrip()] == (names.portal, b"a2")
    assert keys[b"no json"] == (names.billing, None)
    assert keys[b'{"subject": "a1"}'] == (names.billing, b"a1")


async def test_a_key_lies_where_any_other_producer_puts_it_whatever_the_topic(kafka: DevKafka, names: Names) -> None:
    await create(kafka.bootstrap, names, 4)
    await publish_lines(kafka.bootstrap, names, lines_of([a_line(number, 0) for number in range(200)]))
    ours = {record.key: record.partition for record in await everything(kafka, names.facts)}
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as other:
        theirs = {key: (await other.send_and_wait(names.decisions, b"", key)).partition for key in ours}
    assert ours == theirs


async def test_every_record_and_tick_says_when_it_is_read_and_its_place(kafka: DevKafka, names: Names) -> None:
    await create(kafka.bootstrap, names, 2)
    span = Span(BEGIN, BEGIN + HOUR, (Pause(BEGIN + 15 * MINUTE, BEGIN + 45 * MINUTE),))
    lines = [a_line(0, 20, "a"), a_line(1, 5, "b"), a_line(2, -60, "c")]
    await publish_played(kafka.bootstrap, names, play(lines, span, 10 * MINUTE), BEGIN)
    facts = {header(record, "whimbrel-source-line"): record for record in await everything(kafka, names.facts)}
    ticks = await read(kafka.bootstrap, names.ticks)
    assert {header(record, "whimbrel-from") for record in [*facts.values(), *ticks]} == {"2026-06-01T00:00:00Z"}
    said = {
        line: [header(record, f"whimbrel-{name}") for name in ("line", "now", "backlog")]
        for line, record in facts.items()
    }
    assert said == {
        "3": ["1", "2026-05-31T23:00:00Z", None],
        "2": ["3", "2026-06-01T00:05:00Z", None],
        "1": ["6", "2026-06-01T00:45:00Z", "1"],
    }
    for partition in (0, 1):
        mine = [record for record in ticks if record.partition == partition]
        assert [(header(record, "whimbrel-line"), header(record, "whimbrel-now")) for record in mine] == [
            ("2", "2026-06-01T00:00:00Z"),
            ("4", "2026-06-01T00:10:00Z"),
            ("5", "2026-06-01T00:14:59.999999Z"),
            ("7", "2026-06-01T00:45:00Z"),
            ("8", "2026-06-01T00:50:00Z"),
            ("9", "2026-06-01T01:00:00Z"),
        ]


async def test_the_ends_of_a_tick_part_what_comes_before_it_from_what_comes_after(
    kafka: DevKafka, names: Names
) -> None:
    await create(kafka.bootstrap, names, 3)
    # What lies in the topics already comes before the first tick, a transaction's marker too.
    await append(kafka.bootstrap, names.billing, b"a1", b"{}")
    upstream = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=names.prefix)
    async with upstream, upstream.transaction():
        await upstream.send_and_wait(names.jobs, b"{}", b"a2")
    span = Span(BEGIN, BEGIN + DAY)
    lines = [a_line(number, number) for number in range(1440)]
    progress = await publish_played(kafka.bootstrap, names, play(lines, span, 10 * MINUTE), BEGIN)
    assert (progress.facts, progress.ticks, progress.at) == (1440, 145, BEGIN + DAY)
    facts = [record for record in await everything(kafka, names.facts) if record.headers]
    for tick in await read(kafka.bootstrap, names.ticks):
        said = json.loads(tick.value or b"")
        assert said["partition"] == tick.partition
        assert set(said["ends"]) == set(names.facts)
        for fact in facts:
            if fact.partition == tick.partition:
                before = fact.offset < said["ends"][fact.topic]
                assert before is (int(header(fact, "whimbrel-line") or 0) < int(header(tick, "whimbrel-line") or 0))


async def test_the_last_ends_are_the_ends_of_the_topics(kafka: DevKafka, names: Names) -> None:
    await create(kafka.bootstrap, names, 2)
    lines = [a_line(number, 3) for number in range(100)]
    await publish_played(kafka.bootstrap, names, play(lines, Span(BEGIN, BEGIN + HOUR), 10 * MINUTE), BEGIN)
    last = {record.partition: json.loads(record.value or b"") for record in await read(kafka.bootstrap, names.ticks)}
    async with opened_consumer(kafka.bootstrap) as consumer:
        for partition, said in last.items():
            ends = await consumer.end_offsets([TopicPartition(topic, partition) for topic in names.facts])
            assert said["ends"] == {at.topic: end for at, end in ends.items()}


async def test_of_two_months_of_ticks_and_facts_every_one_is_in_its_topic(kafka: DevKafka, names: Names) -> None:
    await create(kafka.bootstrap, names, 4)
    lines = [a_line(number, number * 3) for number in range(30_000)]
    progress = await publish_played(
        kafka.bootstrap, names, play(lines, Span(BEGIN, BEGIN + 61 * DAY), 10 * MINUTE), BEGIN
    )
    assert (progress.facts, progress.ticks) == (61 * 24 * 20 + 1, 61 * 24 * 6 + 1)
    facts = [await end_of(kafka.bootstrap, topic, number) for topic in names.facts for number in range(4)]
    assert sum(facts) == progress.facts
    ticks = [await end_of(kafka.bootstrap, names.ticks, number) for number in range(4)]
    assert ticks == [progress.ticks] * 4


async def test_paced_a_day_takes_its_seconds_and_each_tick_is_told(kafka: DevKafka, names: Names) -> None:
    await create(kafka.bootstrap, names, 2)
    told: list[int | None] = []
    loop = asyncio.get_running_loop()
    started = loop.time()
    await publish_played(
        kafka.bootstrap,
        names,
        play([a_line(1, 30)], Span(BEGIN, BEGIN + HOUR), 10 * MINUTE),
        BEGIN,
        day_seconds=24.0,
        on_tick=lambda progress: told.append(progress.at),
    )
    assert loop.time() - started >= 1.0
    assert told == [BEGIN + minutes * MINUTE for minutes in range(0, 61, 10)]


async def test_a_record_of_2_mb_is_published_and_one_too_large_for_its_topic_is_named(
    kafka: DevKafka, names: Names
) -> None:
    await create(kafka.bootstrap, names, 1)
    large = a_line(0, 0, padding="x" * (2 << 20))
    await publish_lines(kafka.bootstrap, names, lines_of([large]))
    assert [record.value for record in await read(kafka.bootstrap, names.billing)] == [large.rstrip()]
    with pytest.raises(PublishError, match="line 2"):
        await publish_lines(kafka.bootstrap, names, lines_of([a_line(0, 0), a_line(0, 0, padding="x" * (5 << 20))]))


async def test_topics_must_exist(kafka: DevKafka, names: Names) -> None:
    with pytest.raises(TopicMissingError, match="whimbrel topics create"):
        await publish_lines(kafka.bootstrap, names, lines_of([a_line(0, 0)]))


async def test_a_broker_that_dies_on_the_way_costs_no_record_and_doubles_none(kafka: DevKafka, names: Names) -> None:
    def break_once(progress: Progress) -> None:
        if progress.ticks == 20:
            broker.kill()
            broker.start()

    with DevKafka() as broker:
        await create(broker.bootstrap, names, 2)
        lines = [a_line(number, number) for number in range(1440)]
        history = play(lines, Span(BEGIN, BEGIN + DAY), 10 * MINUTE)
        progress = await publish_played(broker.bootstrap, names, history, BEGIN, on_tick=break_once)
        assert (progress.facts, progress.ticks) == (1440, 145)
        numbers = [header(record, "whimbrel-source-line") for record in await everything(broker, names.facts)]
        assert sorted(map(int, filter(None, numbers))) == list(range(1, 1441))
        assert len(await read(broker.bootstrap, names.ticks)) == 2 * 145


async def test_a_broker_that_stays_away_ends_the_play_with_its_reason(
    kafka: DevKafka, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "PATIENCE_SECONDS", 1.0)
    with DevKafka() as broker:
        await create(broker.bootstrap, names, 1)
        history = play([a_line(1, 30)], Span(BEGIN, BEGIN + HOUR), 10 * MINUTE)
        with pytest.raises(KafkaAwayError, match="did not acknowledge"):
            await publish_played(broker.bootstrap, names, history, BEGIN, on_tick=lambda _: broker.kill())
