"""The dead letters that are kept, what lies at their coordinates, and how they are closed."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from msgspec.structs import replace

from app.contract.instants import Instant, parse_instant
from app.engine.dead_letters import FORMAT, DeadLetter, State, encode_letter
from app.engine.records import ID_HEADER, REPLAY_HEADER, Record
from app.errors import WhimbrelError
from app.streams import client
from app.streams.names import Names
from app.streams.repeats import Repeats

Headers = Sequence[tuple[str, bytes]]


class LetterFormatError(WhimbrelError):
    """A record of whimbrel.dead-letters is of a format that this version does not know."""


class Letter(msgspec.Struct, frozen=True):
    """A dead letter as it stands: what it said first, what has become of it, and the key of the input."""

    opened: DeadLetter
    newest: DeadLetter
    key: bytes | None

    @property
    def name(self) -> str:
        """What an operator calls it: `billing.events/3/1042`, of an account `whimbrel.ticks/3/a0131`."""
        return name_of(self.opened)

    @property
    def is_open(self) -> bool:
        """Whether it waits for somebody."""
        return self.newest.state == "open"

    @property
    def account(self) -> str:
        """The account, by the input's key."""
        return (self.key or b"").decode(errors="replace")

    def closed(self, state: State, at: str, by: str | None, note: str | None = None) -> DeadLetter:
        """Return the record that closes it."""
        return replace(self.opened, state=state, at=at, by=by, note=note)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which letters are meant; what is None does not matter. `reason` is a part of it, in any case."""

    topic: str | None = None
    partition: int | None = None
    account: str | None = None
    reason: str | None = None
    since: Instant | None = None
    closed: bool = False
    """Closed ones too."""

    def matches(self, letter: Letter) -> bool:
        """Say whether the letter is meant."""
        told = letter.opened
        return (
            (self.closed or letter.is_open)
            and self.topic in (None, told.topic)
            and self.partition in (None, told.partition)
            and self.account in (None, letter.account)
            and (self.reason is None or self.reason.lower() in told.reason.lower())
            and (self.since is None or parse_instant(told.at) >= self.since)
        )


def name_of(letter: DeadLetter) -> str:
    """Return a letter's name: the coordinates, of an account its id in place of an offset."""
    return f"{letter.topic}/{letter.partition}/{letter.offset if letter.account is None else letter.account}"


def folded(records: Iterable[Record]) -> dict[str, Letter]:
    """Return the letters by name, in order of appearance. Raises LetterFormatError."""
    letters: dict[str, Letter] = {}
    repeats = Repeats()
    for record in records:
        if record.value is not None and repeats.is_new(record):
            _fold(letters, record, record.value)
    return letters


def _fold(letters: dict[str, Letter], record: Record, value: bytes) -> None:
    told = msgspec.json.decode(value, type=DeadLetter)
    if told.format > FORMAT:
        raise LetterFormatError(f"{record.topic} holds format {told.format}; this version reads {FORMAT}")
    name = name_of(told)
    known = letters.get(name)
    opened = told if known is None or told.state == "open" else known.opened
    letters[name] = Letter(opened, told, record.key)


async def letters(bootstrap: str, names: Names) -> dict[str, Letter]:
    """Return all letters by name. Raises LetterFormatError, and what `client.read` raises."""
    return folded(await client.read(bootstrap, names.dead_letters))


async def inputs(bootstrap: str, wanted: Sequence[Letter]) -> AsyncGenerator[tuple[Letter, Record | None]]:
    """Yield each letter with the record at its coordinates; None where there is none any more."""
    async with client.opened_consumer(bootstrap) as consumer:
        for letter in wanted:
            yield letter, await _record_at(consumer, letter.opened)


async def _record_at(consumer: AIOKafkaConsumer, letter: DeadLetter) -> Record | None:
    here = TopicPartition(letter.topic, letter.partition)
    begin, end = (await consumer.beginning_offsets([here]))[here], (await consumer.end_offsets([here]))[here]
    if letter.account is not None or not begin <= letter.offset < end:
        return None
    consumer.assign([here])
    consumer.seek(here, letter.offset)
    while await consumer.position(here) <= letter.offset:
        for record in (await consumer.getmany(here, timeout_ms=client.IDLE_MS, max_records=1)).get(here, ()):
            found: Record = record
            return found if record.offset == letter.offset else None
        await consumer.end_offsets([here])  # a consumer waits for its broker in silence; a question has an end
    return None


async def replay(bootstrap: str, names: Names, wanted: Sequence[Letter], at: str, by: str | None) -> list[Letter]:
    """Have the records processed again, and close their letters; return those whose record is gone.

    A copy, with the same key and headers, goes behind all that was read by now. First the copy, then the letter: done
    twice, the copy is known as the event that it is.
    """
    gone: list[Letter] = []
    if not wanted:  # a consumer that is closed before it has done anything raises
        return gone
    async with client.opened_producer(bootstrap) as producer, aclosing(inputs(bootstrap, wanted)) as each:
        async for letter, record in each:
            if record is None:
                gone.append(letter)
                continue
            headers = [header for header in record.headers if header[0] not in (ID_HEADER, REPLAY_HEADER)]
            headers.append((REPLAY_HEADER, letter.name.encode()))
            topic = target(names, letter.opened.topic)
            await _append(producer, topic, letter, record.key, record.value, headers)
            closing = encode_letter(letter.closed("replayed", at, by))
            await _append(producer, names.dead_letters, letter, letter.key, closing)
    return gone


async def drop(bootstrap: str, names: Names, wanted: Sequence[Letter], at: str, by: str, note: str) -> None:
    """Close letters for good."""
    async with client.opened_producer(bootstrap) as producer:
        for letter in wanted:
            closing = encode_letter(letter.closed("dropped", at, by, note))
            await _append(producer, names.dead_letters, letter, letter.key, closing)


def target(names: Names, topic: str) -> str:
    """Return the topic that a copy of a record of `topic` goes to: upstream's are not ours to write to."""
    if topic in (*names.facts, names.replays):
        return names.replays
    if topic in (names.returns, names.outbox):
        return topic
    raise WhimbrelError(f"{topic} is no topic that Whimbrel reads inputs from; is WHIMBREL_PREFIX the workers'?")


def matching(known: dict[str, Letter], wanted: Wanted) -> list[Letter]:
    """Return the letters that are meant, by when they were written."""
    found = [letter for letter in known.values() if wanted.matches(letter)]
    return sorted(found, key=lambda letter: parse_instant(letter.opened.at))


async def _append(
    producer: AIOKafkaProducer,
    topic: str,
    letter: Letter,
    key: bytes | None,
    value: bytes | None,
    headers: Headers = (),
) -> None:
    """Append to the letter's own partition, and wait for all copies."""
    try:
        async with asyncio.timeout(client.PATIENCE_SECONDS):
            await producer.send_and_wait(topic, value, key, partition=letter.opened.partition, headers=list(headers))
    except TimeoutError as error:
        raise client.KafkaAwayError(f"Kafka did not acknowledge for {client.PATIENCE_SECONDS:.0f} s") from error
    except KafkaError as error:
        raise WhimbrelError(
            f"{topic} refuses {letter.name}: {error}; whoever closes letters needs Write on it"
        ) from error
