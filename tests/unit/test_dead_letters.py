"""Dead letters folded from their topic, and chosen."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NotEnoughReplicasError,
    NotLeaderForPartitionError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from msgspec.structs import replace

from app.contract.instants import HOUR, MINUTE, SECOND, parse_instant
from app.engine.dead_letters import DeadLetter, DeadLetters, Place, encode_letter, kind_of, origin_of, place_of
from app.engine.memory import MemoryStore
from app.engine.records import ID_HEADER, NOW_HEADER, REPLAY_HEADER, PlainRecord
from app.engine.txn import Txn
from app.errors import WhimbrelError
from app.streams import client
from app.streams.dead_letters import (
    Letter,
    LetterError,
    LetterFormatError,
    Wanted,
    copied_headers,
    drop,
    folded,
    is_of,
    matching,
    target,
)
from app.streams.names import Names

NAMES = Names("x.")


def a_letter(offset: int = 7, **fields: object) -> DeadLetter:
    letter = DeadLetter(
        topic="x.billing.events",
        partition=3,
        offset=offset,
        field="data.amount",
        reason="must be a whole number",
        at="2026-06-10T13:00:00Z",
    )
    return replace(letter, **fields)


def folded_of(*told: DeadLetter | tuple[DeadLetter, str], key: bytes | None = b"a1") -> dict[str, Letter]:
    """Fold letters, some with output ids."""
    records = []
    for number, each in enumerate(told):
        letter, output_id = each if isinstance(each, tuple) else (each, None)
        headers = () if output_id is None else (("whimbrel-id", output_id.encode()),)
        records.append(PlainRecord(NAMES.dead_letters, 3, number, 0, key, encode_letter(letter), headers))
    return folded(records)


def names_of(known: dict[str, Letter], wanted: Wanted) -> Sequence[int]:
    return [letter.opened.offset for letter in matching(known, wanted)]


def test_a_letter_is_named_by_its_coordinates_and_an_account_s_by_the_account() -> None:
    known = folded_of(a_letter(), a_letter(-1, topic="x.whimbrel.ticks", account="a 1/2"))
    assert list(known) == ["x.billing.events/3/7", "x.whimbrel.ticks/3/a 1/2"]


@pytest.mark.parametrize("state", ["replayed", "dropped", "resumed"])
def test_a_later_record_closes_it_and_what_it_said_first_stays(state: str) -> None:
    opened = a_letter()
    (letter,) = folded_of(opened, replace(opened, state=state, at="2026-06-11T13:00:00Z", by="ann")).values()
    assert (letter.is_open, letter.opened, letter.newest.by) == (False, opened, "ann")


def test_an_account_that_is_parked_once_more_is_open_again() -> None:
    opened = a_letter(-1, account="a1")
    again = replace(opened, at="2026-06-12T13:00:00Z")
    (letter,) = folded_of(opened, replace(opened, state="resumed"), again).values()
    assert letter.is_open
    assert letter.opened == again


def test_what_a_restarted_worker_sends_again_opens_nothing_again() -> None:
    opened = a_letter(), "i/3/40/0"
    (letter,) = folded_of(opened, replace(opened[0], state="replayed"), opened).values()
    assert not letter.is_open


def test_a_letter_of_a_later_format_is_refused() -> None:
    with pytest.raises(LetterFormatError, match="holds format 2; this version reads 1"):
        folded_of(a_letter(format=2))


def test_each_filter_chooses_and_together_they_choose_less() -> None:
    known = folded_of(
        a_letter(1),
        a_letter(2, partition=1),
        a_letter(3, topic="x.jobs.events"),
        a_letter(4, reason="handler: KeyError at app.triggers.job_scheduled:31"),
        a_letter(5, at="2026-06-09T13:00:00Z"),
        a_letter(6),
        a_letter(6, state="dropped"),
    )
    assert names_of(known, Wanted()) == [5, 1, 2, 3, 4]
    assert names_of(known, Wanted(partition=1)) == [2]
    assert names_of(known, Wanted(topic="x.jobs.events")) == [3]
    assert names_of(known, Wanted(reason="keyerror")) == [4]
    assert names_of(known, Wanted(since=parse_instant("2026-06-10T13:00:00Z"))) == [1, 2, 3, 4]
    assert names_of(known, Wanted(closed=True)) == [5, 1, 2, 3, 4, 6]
    assert names_of(known, Wanted(account="a2")) == []
    assert names_of(known, Wanted(account="a1", partition=3, reason="whole")) == [5, 1, 3]


def test_a_copy_goes_to_a_topic_of_ours() -> None:
    assert {target(NAMES, topic) for topic in (*NAMES.facts, NAMES.replays)} == {NAMES.replays}
    assert target(NAMES, NAMES.outbox) == NAMES.outbox
    assert target(NAMES, NAMES.returns) == NAMES.returns
    with pytest.raises(WhimbrelError, match="WHIMBREL_PREFIX"):
        target(NAMES, "billing.events")


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("handler: KeyError at app.x:1", "handler"),
        ("too_large: x", "too_large"),
        ("must be one of: a", "contract"),
        ("is missing", "contract"),
    ],
)
def test_a_metric_knows_three_kinds_of_reasons(reason: str, kind: str) -> None:
    assert kind_of(reason) == kind


def a_record(*headers: tuple[str, bytes], key: bytes | None = b"a1", at: str = "2026-06-10T13:00:00Z") -> PlainRecord:
    return PlainRecord("x.billing.events", 3, 7, parse_instant(at) // 1_000, key, b"{", headers)


def of(letter: DeadLetter) -> Letter:
    return Letter(letter, letter, b"a1")


def parked(record: PlainRecord) -> DeadLetter:
    txn = Txn(MemoryStore(lambda key, value: ()))
    DeadLetters("dead-letters").park(txn, record, "", "is no JSON", parse_instant("2026-06-10T13:00:00Z"))
    (output,) = txn.outputs
    return msgspec.json.decode(output.value, type=DeadLetter)


def test_the_name_of_a_letter_tells_where_its_record_lies() -> None:
    assert place_of("x.billing.events/3/7") == Place("x.billing.events", 3, 7)
    assert str(Place("x.billing.events", 3, 7)) == "x.billing.events/3/7"


@pytest.mark.parametrize(
    "name", ["", "a1", "x/3", "x/3/a1", "x/-1/7", "x/3/7/9", "x/3/7\n", "ü/3/7", "x/3/" + "7" * 20]
)
def test_what_is_no_name_tells_no_place(name: str) -> None:
    assert place_of(name) is None


def test_the_letter_of_a_copy_names_the_first_one_and_that_of_an_original_none() -> None:
    assert parked(a_record((REPLAY_HEADER, b"x.billing.events/3/7"))).origin == "x.billing.events/3/7"
    assert parked(a_record()).origin is None


@pytest.mark.parametrize("told", [b"\xff/3/7", b"x" * 300 + b"/3/7", b"someone@example.org"])
def test_what_a_publisher_writes_into_our_header_does_not_come_into_a_letter(told: bytes) -> None:
    assert origin_of(a_record((REPLAY_HEADER, told))) is None
    assert parked(a_record((REPLAY_HEADER, told))).origin is None


def test_a_letter_of_before_has_no_origin() -> None:
    known = msgspec.json.decode(encode_letter(a_letter()))
    del known["origin"]
    assert msgspec.json.decode(msgspec.json.encode(known), type=DeadLetter) == a_letter()


def test_a_copy_names_the_first_letter_however_often_it_was_replayed_and_wherever_it_was_read() -> None:
    again = of(a_letter(topic="x.whimbrel.replays", origin="x.billing.events/3/1"))
    first = (REPLAY_HEADER, b"x.billing.events/3/1")
    other = ("trace", b"1")
    assert copied_headers(of(a_letter()), a_record(other)) == [other, (REPLAY_HEADER, b"x.billing.events/3/7")]
    assert copied_headers(again, a_record(other)) == [other, first]
    assert copied_headers(replace(again, opened=a_letter()), a_record(first, other)) == [other, first]
    assert copied_headers(of(a_letter()), a_record((ID_HEADER, b"i/3/7/0"), first)) == [first]


def test_a_record_is_a_letter_s_where_it_has_its_key_and_was_written_before_it() -> None:
    letter = of(a_letter())
    assert is_of(letter, a_record(at="2026-06-01T13:00:00Z"))
    assert not is_of(letter, a_record(key=b"a2"))
    assert not is_of(letter, a_record(key=None))
    assert not is_of(letter, a_record(at="2026-06-10T14:01:01Z"))


@pytest.mark.parametrize("ahead", [30 * SECOND, HOUR + MINUTE])
def test_the_publisher_s_clock_may_be_ahead_as_far_as_a_broker_allows_it(ahead: int) -> None:
    record = a_record()
    assert is_of(of(a_letter()), record._replace(timestamp=record.timestamp + ahead // 1_000))


def test_a_played_history_was_written_long_after_its_instants() -> None:
    assert is_of(of(a_letter()), a_record((NOW_HEADER, b"2026-06-10T13:00:00Z"), at="2027-01-01T00:00:00Z"))


class Refusing:
    """A producer whose broker says one thing."""

    def __init__(self, error: KafkaError) -> None:
        self._error = error

    async def send_and_wait(self, *_: object, **__: object) -> None:
        raise self._error


async def dropped(monkeypatch: pytest.MonkeyPatch, error: KafkaError) -> None:
    @asynccontextmanager
    async def refusing(_: str) -> AsyncIterator[Refusing]:
        yield Refusing(error)

    monkeypatch.setattr(client, "opened_producer", refusing)
    await drop("broker:9092", NAMES, [of(a_letter())], "2026-06-11T13:00:00Z", "ann", "a test")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MessageSizeTooLargeError(), "it is too large there; raise the topic's max.message.bytes"),
        (RecordListTooLargeError(), "it is too large there; raise the topic's max.message.bytes"),
        (TopicAuthorizationFailedError(), "grant Write on the topic"),
        (PolicyViolationError("of ours"), ".*of ours"),
    ],
)
async def test_a_refusal_names_topic_and_letter_and_advises_on_write_where_that_is_missing_alone(
    monkeypatch: pytest.MonkeyPatch, error: KafkaError, said: str
) -> None:
    with pytest.raises(LetterError, match=rf"^x.whimbrel.dead-letters refuses x.billing.events/3/7: {said}") as refused:
        await dropped(monkeypatch, error)
    assert ("Write" in str(refused.value)) == isinstance(error, TopicAuthorizationFailedError)


@pytest.mark.parametrize(
    "error",
    [
        KafkaConnectionError(),
        KafkaTimeoutError(),
        NotLeaderForPartitionError(),
        UnknownTopicOrPartitionError(),
        NotEnoughReplicasError(),
    ],
)
async def test_what_would_befall_the_next_letter_too_is_kafka_s(
    monkeypatch: pytest.MonkeyPatch, error: KafkaError
) -> None:
    with pytest.raises(client.KafkaAwayError, match=r"x\.whimbrel\.dead-letters"):
        await dropped(monkeypatch, error)
