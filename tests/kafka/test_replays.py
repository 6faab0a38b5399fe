"""What lies at a dead letter's place, on a real broker: replayed where it is the letter's, told where it is not."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from msgspec.structs import replace

from app import clock
from app.config.check import Config
from app.contract.instants import DAY, MINUTE, Instant, format_instant
from app.dev.kafka import DevKafka
from app.engine.dead_letters import DeadLetter, Place, encode_letter
from app.engine.records import REPLAY_HEADER, header
from app.streams import client, topics
from app.streams.names import Names
from tests.faults.altered import alter, delete
from tests.kafka.letters import has_letters, listed, whimbrel
from tests.kafka.live import has_begun, publish
from tests.kafka.system import System, ending
from tests.kafka.waiting import eventually

pytestmark = pytest.mark.kafka

SMALL = "1000"
"""Bytes that a topic takes."""
LARGE = b"{" * 2000


@pytest.fixture
async def system(kafka: DevKafka, names: Names, tmp_path: Path) -> System:
    """Topics of one partition, and no worker: the tests write the letters."""
    await topics.create(kafka.bootstrap, names, 1, 1)
    return System(kafka.bootstrap, names, tmp_path, smtp_port=1, partitions=1)


def a_letter(topic: str, offset: int, at: Instant | None = None) -> DeadLetter:
    """One that a worker would have written, now."""
    written = format_instant(clock.now() if at is None else at)
    return DeadLetter(topic=topic, partition=0, offset=offset, field="", reason="is no JSON", at=written)


async def write(system: System, *letters: DeadLetter, key: bytes = b"a1") -> None:
    async with client.opened_producer(system.bootstrap) as producer:
        for letter in letters:
            await producer.send_and_wait(system.names.dead_letters, encode_letter(letter), key, partition=0)


async def remove(system: System, topic: str, before: int) -> None:
    """Remove records as retention does."""
    async with client.opened_admin(system.bootstrap) as admin:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=before)})


async def copies(system: System) -> list[tuple[bytes | None, bytes | None]]:
    """The values that were replayed, and what each names."""
    read = await client.read(system.bootstrap, system.names.replays)
    return [(each.value, header(each, REPLAY_HEADER)) for each in read]


def places(said: str) -> Sequence[str]:
    """The letters that lines name, in order."""
    return [line.split()[2] for line in said.splitlines() if line.startswith("replayed: ")]


async def test_what_failed_again_is_replayed_of_the_original_once_its_copy_is_gone(
    kafka: DevKafka, names: Names, tmp_path: Path
) -> None:
    system = System(kafka.bootstrap, names, tmp_path, smtp_port=1)
    first = f"{names.billing}/0/0"
    with ending(system):
        await system.prepare(Config((), {}))
        system.start("one", WHIMBREL_TICKS="timer")
        await eventually(lambda: has_begun(system), 60)
        await publish(system, [("a1", b"{")])
        await eventually(lambda: has_letters(system, 1), 60)
        assert (await whimbrel(system, "replay", "--all")).exit_code == 0
        await eventually(lambda: has_letters(system, 2), 60)
        (second,) = await listed(system)
        assert (second["letter"], second["origin"]) == (f"{names.replays}/0/0", first)

        assert (await whimbrel(system, "replay", second["letter"])).exit_code == 0
        await eventually(lambda: has_letters(system, 3), 60)
        await remove(system, names.replays, 2)
        third = f"{names.replays}/0/1"
        shown = (await whimbrel(system, "show", third, "--payload")).stdout
        assert f"origin     {first}\n" in shown
        assert shown.endswith("\n{\n")
        done = await whimbrel(system, "replay", "--all")
        assert (done.exit_code, places(done.stdout)) == (0, [third]), done
        await eventually(lambda: has_letters(system, 4), 60)
    assert [letter["origin"] for letter in await listed(system, "--all")] == [None, first, first, first]
    assert await copies(system) == [(b"{", first.encode())]

    await remove(system, names.replays, 3)
    await remove(system, names.billing, 1)
    gone = await whimbrel(system, "replay", "--all")
    removed = f"retention has removed {names.replays}/0/2; retention has removed {first}"
    assert (gone.exit_code, gone.stdout) == (1, "")
    assert gone.stderr.startswith(f"error: {removed}: ")


async def test_what_lies_in_a_topic_that_was_made_anew_is_not_replayed(system: System) -> None:
    names = system.names
    await publish(system, [("a1", b"{"), ("a1", b"{"), ("a1", b"{")])
    await write(system, a_letter(names.billing, 0, clock.now() - DAY), *(a_letter(names.billing, at) for at in (1, 2)))
    await delete(system.bootstrap, names.billing)
    await topics.create(system.bootstrap, names, 1, 1)
    await publish(system, [("a1", b"later"), ("a2", b"of another account")])

    said = await whimbrel(system, "replay", "--all")
    assert (said.exit_code, said.stdout) == (1, "")
    assert f"another record lies at {names.billing}/0/0: the topic was made anew" in said.stderr
    assert f"another record lies at {names.billing}/0/1: the topic was made anew" in said.stderr
    assert f"no record lies at {names.billing}/0/2: the topic was made anew" in said.stderr
    assert len(await listed(system)) == 3
    assert await copies(system) == []
    shown = (await whimbrel(system, "show", f"{names.billing}/0/0", "--payload")).stdout
    assert f"payload    none: another record lies at {names.billing}/0/0" in shown
    assert "later" not in shown


async def test_a_publisher_s_clock_that_is_ahead_makes_no_other_record_of_it(system: System) -> None:
    ahead = (clock.now() + 30 * MINUTE) // 1_000
    async with client.opened_producer(system.bootstrap) as producer:
        await producer.send_and_wait(system.names.billing, b"{", b"a1", partition=0, timestamp_ms=ahead)
    await write(system, a_letter(system.names.billing, 0))
    assert (await whimbrel(system, "replay", "--all")).exit_code == 0
    assert [value for value, _ in await copies(system)] == [b"{"]


@pytest.mark.parametrize("refuses", ["broker", "producer"])
async def test_what_is_too_large_is_told_with_what_to_raise_and_the_others_are_replayed(
    system: System, refuses: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = system.names
    await publish(system, [("a1", b"one"), ("a1", LARGE), ("a1", b"three"), ("a1", b"four")])
    await write(system, *(a_letter(names.billing, offset, clock.now() + offset) for offset in range(4)))
    with monkeypatch.context() as changed:
        if refuses == "producer":
            changed.setattr(client, "REQUEST_BYTES", int(SMALL))
        else:
            await alter(system.bootstrap, names, [names.replays], {"max.message.bytes": SMALL})
        said = await whimbrel(system, "replay", "--all")
    assert said.exit_code == 1
    assert places(said.stdout) == [f"{names.billing}/0/{offset}" for offset in (0, 2, 3)]
    assert said.stderr.startswith(f"error: {names.replays} refuses {names.billing}/0/1: it is too large there; raise ")
    assert "max.message.bytes" in said.stderr
    assert "Write" not in said.stderr
    assert [value for value, _ in await copies(system)] == [b"one", b"three", b"four"]

    await alter(system.bootstrap, names, [names.replays])
    assert places((await whimbrel(system, "replay", "--all")).stdout) == [f"{names.billing}/0/1"]
    assert await listed(system) == []


async def test_a_topic_or_a_partition_that_is_gone_is_named_and_the_others_are_replayed(system: System) -> None:
    names = system.names
    await publish(system, [("a1", b"one"), ("a1", b"two")])
    await write(system, a_letter(names.billing, 0), a_letter(names.jobs, 0))
    await write(system, replace(a_letter(names.portal, 0), partition=7), a_letter(names.billing, 1))
    await delete(system.bootstrap, names.jobs)
    said = await whimbrel(system, "replay", "--all")
    assert said.exit_code == 1
    assert places(said.stdout) == [f"{names.billing}/0/0", f"{names.billing}/0/1"]
    assert f"error: there is no topic {names.jobs}, or no permission to see it: " in said.stderr
    assert f"error: topic {names.replays} has no partition 7: " in said.stderr

    await delete(system.bootstrap, names.replays)
    await write(system, a_letter(names.portal, 0))
    said = await whimbrel(system, "replay", f"{names.portal}/0/0")
    assert said.stderr.startswith(f"error: there is no topic {names.replays}, or no permission to see it: ")


async def test_a_record_with_neither_key_nor_value_is_told_and_the_others_are_replayed(system: System) -> None:
    names = system.names
    async with client.opened_producer(system.bootstrap) as producer:
        batch = producer.create_batch()
        batch.append(key=None, value=None, timestamp=None)
        await (await producer.send_batch(batch, names.billing, partition=0))
    await publish(system, [("a1", b"two")])
    async with client.opened_producer(system.bootstrap) as producer:
        opened = encode_letter(a_letter(names.billing, 0))
        await producer.send_and_wait(names.dead_letters, opened, None, partition=0)
    await write(system, a_letter(names.billing, 1))
    said = await whimbrel(system, "replay", "--all")
    assert (said.exit_code, places(said.stdout)) == (1, [f"{names.billing}/0/1"])
    assert f"error: {names.billing}/0/0 has neither key nor value" in said.stderr


async def test_a_letter_named_twice_is_replayed_once_and_a_dropped_one_where_it_is_named(system: System) -> None:
    names = system.names
    name = str(Place(names.billing, 0, 0))
    await publish(system, [("a1", b"one")])
    await write(system, a_letter(names.billing, 0))
    await whimbrel(system, "drop", name, "--by", "ann", "--why", "by mistake")
    assert (await whimbrel(system, "replay", "--all")).stdout == "no open dead letter is so\n"
    said = await whimbrel(system, "replay", name, name)
    assert (said.exit_code, places(said.stdout)) == (0, [name]), said
    assert "  (was dropped " in said.stdout
    assert await copies(system) == [(b"one", name.encode())]
    (letter,) = await listed(system, "--all")
    assert letter["state"] == "replayed"
