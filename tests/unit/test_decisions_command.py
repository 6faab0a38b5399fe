import json
from typing import Any

import pytest

from app.cli.decisions import DecisionFormatError, as_json, as_sentence, read_decision
from app.engine.records import PlainRecord
from app.streams.repeats import Repeats


def a_decision(**more: object) -> dict[str, Any]:
    decision = {
        "format": 1,
        "rule": "past-due-7",
        "trigger": "invoice_past_due_for_days",
        "account_id": "a0131",
        "subject": "invoice:i1:2026-06-05:7",
        "moment": "2026-06-12T14:00:00Z",
        "decided_at": "2026-06-12T14:00:00Z",
        "outcome": "sent",
        "reason": None,
        "recipients": ["fin@a0131.example"],
        "dedup_keys": ["past-due-7|a0131|invoice:i1:2026-06-05:7|f%3Ain|email"],
        "version": 3,
        "config": 12,
    }
    return decision | more


def a_record(value: bytes = b"", output_id: str | None = None, topic: str = "decisions") -> PlainRecord:
    headers = () if output_id is None else (("whimbrel-id", output_id.encode()),)
    return PlainRecord(topic, 0, 0, 0, b"a0131", value, headers)


def test_people_read_when_which_rule_which_account_and_what_became_of_it() -> None:
    skipped = a_decision(outcome="skipped", reason="no_longer_true", recipients=[], dedup_keys=[])
    assert " ".join(as_sentence(skipped).split()).startswith("12 Jun past-due-7 a0131 skipped: no longer true")


def test_people_read_to_whom_it_was_sent_but_no_address() -> None:
    assert "sent to f:in  (invoice:i1:2026-06-05:7)" in as_sentence(a_decision())
    assert "@" not in as_sentence(a_decision())


def test_people_read_the_facts_that_it_went_by() -> None:
    facts = {"invoice": "i1", "status": "paid", "balance": 0, "amount": {"amount": 500, "currency": "USD"}}
    skipped = a_decision(outcome="skipped", reason="no_longer_true", dedup_keys=[], facts=facts)
    assert as_sentence(skipped).endswith(
        "skipped: no longer true  (invoice i1, status paid, balance 0, amount 500 USD)"
    )


def test_a_decision_about_a_user_has_no_account() -> None:
    assert "  -  " in as_sentence(a_decision(account_id=None))


def test_json_lines_have_the_fields_of_simulate_in_its_order() -> None:
    assert list(json.loads(as_json(a_decision()))) == [
        "rule",
        "trigger",
        "account_id",
        "subject",
        "moment",
        "decided_at",
        "outcome",
        "reason",
        "recipients",
        "dedup_keys",
    ]


def test_a_record_of_a_later_format_is_refused() -> None:
    with pytest.raises(DecisionFormatError, match="format 2; this version reads 1"):
        read_decision(a_record(json.dumps(a_decision(format=2)).encode()))


def test_an_output_sent_again_is_known_as_a_repeat() -> None:
    repeats = Repeats()
    sent = [a_record(output_id=f"one/0/{place}") for place in ("7/0", "7/2", "7/0", "7/2", "10/0", "9/5", "10/1")]
    assert [repeats.is_new(record) for record in sent] == [True, True, False, False, True, False, True]


def test_outputs_of_other_journals_partitions_and_topics_are_no_repeats() -> None:
    repeats = Repeats()
    assert repeats.is_new(a_record(output_id="one/0/7/0"))
    assert repeats.is_new(a_record(output_id="one/1/7/0"))
    assert repeats.is_new(a_record(output_id="two/0/3/0"))
    assert repeats.is_new(a_record(output_id="one/0/7/0", topic="outbox"))


def test_a_record_without_an_id_is_never_a_repeat() -> None:
    repeats = Repeats()
    assert repeats.is_new(a_record())
    assert repeats.is_new(a_record())
