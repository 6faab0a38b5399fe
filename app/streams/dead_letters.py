"""The dead letters that are kept, what lies at their coordinates, and how they are closed."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Final

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)
from msgspec.structs import replace

from app.contract.instants import HOUR, MINUTE, Instant, parse_instant
from app.engine.dead_letters import (
    FORMAT,
    DeadLetter,
    Place,
    State,
    encode_letter,
    name_of,
    origin_of,
    place_of,
)
from app.engine.records import ID_HEADER, NOW_HEADER, REPLAY_HEADER, Record, header
from app.engine.ticks import MILLISECOND
from app.errors import WhimbrelError
from app.streams import client
from app.streams.names import Names
from app.streams.patience import REFUSALS
from app.streams.repeats import Repeats

Headers = Sequence[tuple[str, bytes]]

AHEAD: Final = HOUR + MINUTE
"""How far a record's timestamp may be after its letter: the publisher's clock, in a topic of CreateTime, by the hour
that a broker allows it (message.timestamp.after.max.ms); the worker's by less than a minute."""
TOO_LARGE: Final = (
    "it is too large there; raise the topic's max.message.bytes (and segment.bytes), up to "
    f"{client.REQUEST_BYTES >> 20} MiB; what is larger must be published anew, in less"
)
ADVICE: Final[Mapping[type[KafkaError], str]] = {
    **REFUSALS,
    MessageSizeTooLargeError: TOO_LARGE,
    RecordListTooLargeError: TOO_LARGE,
}


class LetterFormatError(WhimbrelError):
    """A record of whimbrel.dead-letters is of a format that this version does not know."""


class LetterError(WhimbrelError):
    """A letter cannot be dealt with; others can."""


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


async def record_of(bootstrap: str, letter: Letter) -> Record:
    """Return the record that the letter is about. Raises LetterError where it is gone, and KafkaAwayError."""
    counts = await client.partition_counts(bootstrap)
    async with client.opened_consumer(bootstrap) as consumer:
        return await _record_of(consumer, counts, letter)


async def _record_of(consumer: AIOKafkaConsumer, counts: Mapping[str, int], letter: Letter) -> Record:
    """Look at the letter's place, then where the original lies: a copy is kept for less long."""
    told = letter.opened
    origin = place_of(told.origin or "")
    failures = []
    for place in (Place(told.topic, told.partition, told.offset), *([origin] if origin else [])):
        try:
            return await _record_at(consumer, counts, place, letter)
        except LetterError as error:
            failures.append(str(error))
    raise LetterError("; ".join(failures))


async def _record_at(consumer: AIOKafkaConsumer, counts: Mapping[str, int], place: Place, letter: Letter) -> Record:
    _check(counts, place.topic, place.partition)
    here = TopicPartition(place.topic, place.partition)
    try:
        begin, end = (await consumer.beginning_offsets([here]))[here], (await consumer.end_offsets([here]))[here]
        if place.offset < begin:
            raise LetterError(f"retention has removed {place}")
        record = await _read(consumer, here, place.offset) if place.offset < end else None
    except TopicAuthorizationFailedError as error:
        raise LetterError(f"{place.topic} cannot be read: grant Read on the topic") from error
    if record is None:
        raise LetterError(f"no record lies at {place}: the topic was made anew")
    if not is_of(letter, record):
        raise LetterError(f"another record lies at {place}: the topic was made anew")
    return record


def _check(counts: Mapping[str, int], topic: str, partition: int) -> None:
    """Raise LetterError where there is no such partition: asking a client, or writing, takes a minute to say less."""
    if topic not in counts:
        raise LetterError(f"there is no topic {topic}, or no permission to see it")
    if partition >= counts[topic]:
        raise LetterError(f"topic {topic} has no partition {partition}")


async def _read(consumer: AIOKafkaConsumer, here: TopicPartition, offset: int) -> Record | None:
    """Return the record at an offset that is below the end, None where there is none."""
    consumer.assign([here])
    consumer.seek(here, offset)
    while await consumer.position(here) <= offset:
        for record in (await consumer.getmany(here, timeout_ms=client.IDLE_MS, max_records=1)).get(here, ()):
            found: Record = record
            return found if record.offset == offset else None
        await consumer.end_offsets([here])  # a consumer waits for its broker in silence; a question has an end
    return None


def is_of(letter: Letter, record: Record) -> bool:
    """Say whether the record may be the letter's: of its key, and written before it.

    The instants of a played history are not those at which its records were written.
    """
    played = header(record, NOW_HEADER) is not None
    latest = parse_instant(letter.opened.at) + AHEAD
    return record.key == letter.key and (played or record.timestamp * MILLISECOND <= latest)


async def replay(
    bootstrap: str, names: Names, wanted: Sequence[Letter], at: str, by: str | None
) -> AsyncGenerator[tuple[Letter, LetterError | None]]:
    """Have the records processed again, and close their letters: yield each once it is done, or with why it is not.

    A copy, with the same key and headers, goes behind all that was read by now. First the copy, then the letter: done
    twice, the copy is known as the event that it is. Raises KafkaAwayError: what is not yielded by then waits.
    """
    if not wanted:
        return
    counts = await client.partition_counts(bootstrap)
    async with (
        client.opened_consumer(bootstrap) as consumer,
        client.opened_producer(bootstrap, idempotent=False) as producer,
    ):
        for letter in wanted:
            failure = None
            try:
                topic = target(names, letter.opened.topic)
                _check(counts, topic, letter.opened.partition)
                record = await _record_of(consumer, counts, letter)
                await _append(producer, topic, letter, record.key, record.value, copied_headers(letter, record))
                closing = encode_letter(letter.closed("replayed", at, by))
                await _append(producer, names.dead_letters, letter, letter.key, closing)
            except LetterError as error:
                failure = error
            yield letter, failure


def copied_headers(letter: Letter, record: Record) -> Headers:
    """Return the headers of a copy: it names the first letter, however often it was replayed, and is no repeat."""
    first = origin_of(record) or letter.opened.origin or letter.name
    kept = [each for each in record.headers if each[0] not in (ID_HEADER, REPLAY_HEADER)]
    return [*kept, (REPLAY_HEADER, first.encode())]


async def drop(bootstrap: str, names: Names, wanted: Sequence[Letter], at: str, by: str, note: str) -> None:
    """Close letters for good. Raises LetterError, KafkaAwayError."""
    async with client.opened_producer(bootstrap) as producer:
        for letter in wanted:
            closing = encode_letter(letter.closed("dropped", at, by, note))
            await _append(producer, names.dead_letters, letter, letter.key, closing)


def target(names: Names, topic: str) -> str:
    """Return the topic that a copy of a record of `topic` goes to: upstream's are not ours to write to.

    Raises LetterError where Whimbrel reads no inputs from `topic`.
    """
    if topic in (*names.facts, names.replays):
        return names.replays
    if topic in (names.returns, names.outbox):
        return topic
    raise LetterError(f"{topic} is no topic that Whimbrel reads inputs from; is WHIMBREL_PREFIX the workers'?")


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
    """Append to the letter's own partition, and wait for all copies. Raises LetterError, KafkaAwayError."""
    if key is None and value is None:  # of which aiokafka makes no record
        raise LetterError(f"{letter.name} has neither key nor value: there is nothing to process")
    try:
        async with asyncio.timeout(client.PATIENCE_SECONDS):
            await producer.send_and_wait(topic, value, key, partition=letter.opened.partition, headers=list(headers))
    except TimeoutError as error:
        raise client.KafkaAwayError(f"Kafka did not acknowledge for {client.PATIENCE_SECONDS:.0f} s") from error
    except KafkaError as error:
        if client.is_away(error) or error.retriable or isinstance(error, KafkaTimeoutError):
            raise client.KafkaAwayError(f"Kafka does not take what is written to {topic}: {error}") from error
        raise LetterError(f"{topic} refuses {letter.name}: {ADVICE.get(type(error), error)}") from error
