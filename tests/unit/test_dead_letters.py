"""Dead letters folded from their topic, and chosen."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from app.contract.instants import parse_instant
from app.engine.dead_letters import DeadLetter, encode_letter, kind_of
from app.engine.records import PlainRecord
from app.errors import WhimbrelError
from app.streams.dead_letters import Letter, LetterFormatError, Wanted, folded, matching, target
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
