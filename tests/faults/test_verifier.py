"""The verifier finds what is wrong: shown on evidence that was tampered with."""

from collections import Counter
from typing import Any

import pytest

from app.delivery.message import local_part
from tests.engine.counting import Counting
from tests.faults import verifier
from tests.faults.verifier import UNSENT, Copy, JournalRecord, Mails

KEY = "late|a1|invoice:1|c1|email"
OTHER = "late|a2|invoice:2|c2|email"
SENT = {"moment": "2026-06-01T09:00:00Z", "trigger": "t", "reason": None, "outcome": "sent", "recipients": ["x@y"]}
EXPECTED: list[dict[str, Any]] = [
    {**SENT, "rule": "late", "account_id": "a1", "subject": "invoice:1", "dedup_keys": [KEY]},
    {**SENT, "rule": "late", "account_id": "a2", "subject": "invoice:2", "dedup_keys": [OTHER]},
]


def delivery(key: str, outcome: str = "accepted") -> dict[str, Any]:
    return {"dedup_key": key, "outcome": outcome}


def judged(
    accepted: dict[str, int],
    *deliveries: dict[str, Any],
    attempted: frozenset[str] = frozenset({KEY, OTHER}),
    instead: frozenset[str] = frozenset(),
) -> Mails:
    counts = {local_part(key): count for key, count in accepted.items()}
    return verifier.mails(EXPECTED, counts, deliveries, attempted, instead)


def test_equal_decisions_differ_neither_way_whatever_their_order() -> None:
    assert verifier.decisions(EXPECTED, EXPECTED[::-1]) == (Counter(), Counter())


def test_a_lost_decision_is_missing_and_a_second_one_extra() -> None:
    missing, extra = verifier.decisions(EXPECTED, [EXPECTED[0], EXPECTED[0]])
    assert missing.total() == extra.total() == 1
    assert b"a2" in next(iter(missing))
    assert b"a1" in next(iter(extra))


def test_every_mail_taken_once_and_reported_so_is_right() -> None:
    assert judged({KEY: 1, OTHER: 1}, delivery(KEY), delivery(OTHER)) == Mails(expected=2, accepted=2)


def test_deferrals_before_the_last_word_are_right() -> None:
    found = judged({KEY: 1, OTHER: 1}, delivery(KEY, "deferred"), delivery(KEY), delivery(OTHER))
    assert found == Mails(expected=2, accepted=2)


def test_a_mail_that_the_relay_never_took_is_lost_whatever_was_reported() -> None:
    found = judged({KEY: 1}, delivery(KEY), delivery(OTHER))
    assert found.lost == [f"never taken by the relay: {OTHER} (accepted)"]


def test_a_mail_without_a_last_word_is_wrong_though_the_relay_took_it() -> None:
    found = judged({KEY: 1, OTHER: 1}, delivery(KEY))
    assert found.wrong == [f"0 last words instead of one: {OTHER} (nothing)"]
    assert not found.lost


def test_a_mail_taken_twice_is_doubled() -> None:
    found = judged({KEY: 2, OTHER: 1}, delivery(KEY), delivery(OTHER))
    assert found.doubled == [f"taken 2 times by the relay: {KEY} (accepted)"]


@pytest.mark.parametrize("times", [0, 1])
def test_an_unknown_outcome_is_neither_lost_nor_doubled(times: int) -> None:
    found = judged({KEY: 1, OTHER: times}, delivery(KEY), delivery(OTHER, "unknown_outcome"))
    assert found.unknown == 1
    assert not found.lost + found.doubled + found.wrong


def test_an_unknown_outcome_that_was_never_attempted_is_wrong() -> None:
    found = judged({KEY: 1}, delivery(KEY), delivery(OTHER, "unknown_outcome"), attempted=frozenset({KEY}))
    assert found.wrong == [f"unknown outcome, but never attempted: {OTHER}"]


@pytest.mark.parametrize("outcome", sorted(UNSENT))
def test_an_unsent_mail_is_lost_unless_its_outcome_may_stand_for_it(outcome: str) -> None:
    said = (delivery(KEY), delivery(OTHER, outcome))
    lost = [f"never taken by the relay: {OTHER} ({outcome})"]
    assert judged({KEY: 1}, *said, instead=frozenset({outcome})) == Mails(expected=2, accepted=1)
    assert judged({KEY: 1}, *said).lost == lost
    assert judged({KEY: 1}, *said, instead=UNSENT - {outcome}).lost == lost


def test_an_unsent_mail_that_the_relay_took_is_wrong() -> None:
    found = judged({KEY: 1, OTHER: 1}, delivery(KEY), delivery(OTHER, "withdrawn"), instead=UNSENT)
    assert found.wrong == [f"taken by the relay, but reported as withdrawn: {OTHER}"]


def test_two_last_words_are_wrong() -> None:
    found = judged({KEY: 1, OTHER: 1}, delivery(KEY), delivery(KEY, "unknown_outcome"), delivery(OTHER))
    assert found.wrong == [f"2 last words instead of one: {KEY} (accepted, unknown_outcome)"]


def test_a_mail_that_nobody_decided_is_wrong() -> None:
    found = judged({KEY: 1, OTHER: 1, "other": 1}, delivery(KEY), delivery(OTHER), delivery("other"))
    assert found.wrong == [
        f"mail that nobody decided: {local_part('other')}",
        "delivery that nobody decided: other",
    ]


JOURNAL: list[JournalRecord] = [
    (0, b"~fence", b"1"),
    (1, b"a", b"1"),
    (2, b"b", b"1"),
    (3, b"~commit", b"c"),
    (4, b"a", b"2"),
    (5, b"b", None),
    (6, b"~commit", b"c"),
]
A2 = b"count|00000002|a"
Entries = list[tuple[bytes, bytes]]


def copy_of(worker: str, offset: int, rows: dict[bytes, bytes], entries: Entries, commit: bytes = b"c") -> Copy:
    return Copy(worker, offset, rows, entries, commit)


def differences(*copies: Copy) -> list[str]:
    return verifier.state("book[0]", JOURNAL, copies, Counting().index)


def test_copies_that_equal_the_journal_up_to_their_offsets_differ_in_nothing() -> None:
    older = [(b"count|00000001|a", b"a"), (b"count|00000001|b", b"b")]
    assert not differences(
        copy_of("new", 6, {b"a": b"2"}, [(A2, b"a")]), copy_of("old", 3, {b"a": b"1", b"b": b"1"}, older)
    )


def test_a_differing_row_a_missing_one_and_one_too_many_are_found() -> None:
    found = differences(
        copy_of("w1", 6, {b"a": b"1"}, [(b"count|00000001|a", b"a")]),
        copy_of("w2", 6, {}, []),
        copy_of("w3", 6, {b"a": b"2", b"b": b"1"}, [(b"count|00000001|b", b"b"), (A2, b"a")]),
    )
    assert found == [
        f"book[0] of {worker}: row {row!r} differs from the journal's"
        for worker, row in (("w1", b"a"), ("w2", b"a"), ("w3", b"b"))
    ]


def test_a_missing_and_a_stale_index_entry_are_found() -> None:
    stale = (b"count|00000001|a", b"a")
    found = differences(copy_of("w1", 6, {b"a": b"2"}, []), copy_of("w2", 6, {b"a": b"2"}, [stale, (A2, b"a")]))
    assert found == [
        f"book[0] of w1: the index differs from the rows: {[(A2, b'a')]}",
        f"book[0] of w2: the index differs from the rows: {[stale]}",
    ]


@pytest.mark.parametrize(("offset", "commit", "right"), [(6, b"c", False), (6, b"d", True), (5, b"c", True)])
def test_another_commit_record_than_the_journals_is_found(*, offset: int, commit: bytes, right: bool) -> None:
    journal: list[JournalRecord] = [*JOURNAL[:-1], (6, b"~commit", b"d")]
    found = verifier.state(
        "book[0]", journal, [copy_of("w1", offset, {b"a": b"2"}, [(A2, b"a")], commit)], Counting().index
    )
    said = "book[0] of w1: the commit record differs from the journal's"
    assert (said not in found) is right


def test_a_copy_without_a_commit_record_is_found() -> None:
    found = differences(Copy("w1", 6, {b"a": b"2"}, [(A2, b"a")], None))
    assert found == ["book[0] of w1: the commit record differs from the journal's"]


LETTERS = Counter({("time", "missing"): 2, ("", "no JSON"): 1})


def letter(field: str, reason: str) -> dict[str, Any]:
    return {"field": field, "reason": reason, "topic": "t", "partition": 0, "offset": 1}


def test_dead_letters_are_compared_by_what_they_say() -> None:
    right = [letter("time", "missing"), letter("time", "missing"), letter("", "no JSON: truncated")]
    assert not verifier.letters(LETTERS, right)
    assert verifier.letters(LETTERS, [*right[:2], letter("", "too long")]) == [
        "1 dead letters missing: ('', 'no JSON')",
        "1 dead letters beside those of the load instead of 0: {('', 'too long'): 1}",
    ]
    assert not verifier.letters(LETTERS, [*right, letter("x", "y")], beside=1)
    assert verifier.letters(LETTERS, right, beside=1)


def test_a_newest_copy_that_is_behind_its_journal_is_found() -> None:
    older = [(b"count|00000001|a", b"a"), (b"count|00000001|b", b"b")]
    assert differences(copy_of("w1", 3, {b"a": b"1", b"b": b"1"}, older)) == [
        "book[0]: the newest copy stands at 3, the journal ends with 6, its rows with 6"
    ]


@pytest.mark.parametrize(("offset", "right"), [(2, False), (3, True), (4, True), (5, False)])
def test_a_fence_at_the_journals_end_may_be_in_no_copy(*, offset: int, right: bool) -> None:
    ended: list[JournalRecord] = [*JOURNAL[:4], (4, b"~fence", b"2")]
    entries = [(b"count|00000001|a", b"a"), (b"count|00000001|b", b"b")]
    copy = copy_of("w1", offset, {b"a": b"1", b"b": b"1"}, entries)
    assert bool(verifier.state("book[0]", ended, [copy], Counting().index)) is not right
