from collections.abc import Mapping
from typing import Any

from app.dev.demo.verdict import Comparison, compare_decisions, compare_mails, decisions_line, mails_line
from tests.unit.demo.lines import a_line


def name_of(key: str) -> str:
    return key.replace("|", ".").lower()


def mails(*lines: Mapping[str, Any]) -> dict[str, int]:
    return {f"<{name_of(key)}@harbor.example>": 1 for line in lines for key in line["dedup_keys"]}


def test_equal_decisions_are_equal_in_any_order_and_with_more_fields() -> None:
    one, two = a_line(), a_line("a2")
    comparison = compare_decisions([two | {"version": 3}, one], [one, two])
    assert comparison.equal
    assert decisions_line(comparison) == "2 decisions = simulate's 2 · lost 0 · doubled 0"


def test_thousands_are_told_with_commas() -> None:
    assert decisions_line(Comparison(4812, 4812, (), ())) == "4,812 decisions = simulate's 4,812 · lost 0 · doubled 0"


def test_a_decision_that_simulate_alone_makes_is_lost() -> None:
    comparison = compare_decisions([], [a_line()])
    assert decisions_line(comparison) == "0 decisions ≠ simulate's 1 · lost 1 · doubled 0"
    assert comparison.differences == [
        "lost: past-due-7 a1 invoice:i1:2026-06-03:7 at 2026-06-10T13:00:00Z sent",
    ]


def test_a_decision_made_twice_is_doubled_even_where_the_two_differ() -> None:
    comparison = compare_decisions([a_line(), a_line(decided_at="2026-06-10T13:10:00Z")], [a_line()])
    assert (len(comparison.doubled), len(comparison.lost), comparison.equal) == (1, 0, False)


def test_a_decision_that_simulate_does_not_make_is_unexpected() -> None:
    comparison = compare_decisions([a_line()], [])
    assert decisions_line(comparison) == "1 decisions ≠ simulate's 0 · lost 0 · doubled 0 · unexpected 1"


def test_one_lost_and_another_unexpected_do_not_make_up_for_each_other() -> None:
    comparison = compare_decisions([a_line("a1")], [a_line("a2")])
    assert (len(comparison.lost), len(comparison.unexpected)) == (1, 1)


def test_what_was_decided_otherwise_tells_the_fields() -> None:
    ours = a_line(outcome="skipped", reason="late")
    comparison = compare_decisions([ours], [a_line(outcome="skipped", reason="opted_out")])
    assert decisions_line(comparison).endswith("lost 0 · doubled 0 · different 1")
    assert comparison.differences[0].endswith("skipped: late: reason late instead of opted_out")


def test_a_hold_and_its_final_line_are_two_decisions() -> None:
    held = a_line(outcome="held", reason="unknown_account")
    assert compare_decisions([a_line(), held], [held, a_line()]).equal
    assert len(compare_decisions([a_line()], [held, a_line()]).lost) == 1


def test_only_the_first_differences_of_each_kind_are_shown() -> None:
    comparison = compare_decisions([], [a_line(f"a{number}") for number in range(100)])
    assert (len(comparison.lost), len(comparison.differences)) == (100, 5)


def test_each_mail_once_is_equal_whoever_sent_it() -> None:
    lines = [a_line(), a_line("a2"), a_line("a3", outcome="skipped", reason="late")]
    comparison = compare_mails(lines, name_of, mails(*lines))
    assert comparison.equal
    assert mails_line(comparison) == "2 notifications sent = 2 mails in the mailbox · lost 0 · doubled 0"


def test_what_was_held_and_then_not_sent_lacks_no_mail() -> None:
    held = a_line("a1", outcome="held", reason="window") | {"dedup_keys": a_line()["dedup_keys"]}
    assert compare_mails([held, a_line("a1", outcome="skipped", reason="late")], name_of, {}).equal


def test_a_mail_that_never_came_is_lost_by_its_key() -> None:
    comparison = compare_mails([a_line(), a_line("a2")], name_of, mails(a_line()))
    assert comparison.differences == ["lost: past-due-7|a2|invoice:i1:2026-06-03:7|c1|email"]


def test_a_mail_that_came_twice_is_doubled() -> None:
    comparison = compare_mails([a_line()], name_of, dict.fromkeys(mails(a_line()), 2))
    assert mails_line(comparison) == "1 notifications sent ≠ 2 mails in the mailbox · lost 0 · doubled 1"


def test_a_mail_that_nobody_decided_is_unexpected() -> None:
    comparison = compare_mails([], name_of, mails(a_line()))
    assert (len(comparison.unexpected), comparison.equal) == (1, False)
