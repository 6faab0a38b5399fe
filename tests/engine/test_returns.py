"""Notifications that come back are answered by the account's book: true still, or withdrawn."""

from typing import Any

import pytest
from msgspec.structs import replace

from app import bootstrap
from app.contract.instants import DAY, HOUR, MINUTE, SECOND, format_instant
from app.domain.rules import Rule
from app.engine.outbox import Notification, encode
from app.settings import Settings
from tests.builders import (
    a_company,
    a_payment,
    a_rule,
    a_rulebook,
    account_event,
    an_event,
    at,
    invoice_event,
    paid,
)
from tests.engine.office import NAMES, Office

DUE, PAST, SOON = "invoice_due_in_days", "invoice_past_due_for_days", "invoice_becomes_delinquent_in_days"
BECOMES, BEEN = "account_becomes_delinquent", "invoice_delinquent_for_days"
TRUE_UNTIL_PAID = {
    DUE: (a_rule(DUE, x=3), "2026-06-07 09:00"),
    PAST: (a_rule(PAST, x=2), "2026-06-12 09:00"),
    SOON: (a_rule(SOON, x=2), "2026-06-13 09:00"),
    BECOMES: (a_rule(BECOMES), "2026-06-15 09:00"),
    "of an invoice": (a_rule(BECOMES, per="invoice"), "2026-06-15 09:00"),
    BEEN: (a_rule(BEEN, x=1), "2026-06-16 09:00"),
}


def past_due() -> tuple[Office, Notification]:
    """An office on 12 June, and what it has sent at nine: an invoice is two days past due."""
    return sent_by(*TRUE_UNTIL_PAID[PAST])


def sent_by(rule: Rule, moment: str) -> tuple[Office, Notification]:
    office = Office(a_rulebook(rule))
    office.tell(account_event(office.now), invoice_event(office.now))
    office.run_until(at(moment) - HOUR)
    office.run_until(at(moment) + SECOND)
    (notification,) = office.outbox()
    return office, notification


def answered(office: Office, notification: Notification) -> Notification:
    office.give_back(notification)
    office.run()
    (answer,) = office.outbox()
    return answer


@pytest.mark.parametrize("case", TRUE_UNTIL_PAID)
def test_what_holds_goes_out_again_checked_and_what_is_paid_meanwhile_is_withdrawn(case: str) -> None:
    office, sent = sent_by(*TRUE_UNTIL_PAID[case])
    office.run_until(office.now + 20 * MINUTE)
    again = answered(office, sent)
    assert again == replace(sent, round=2, checked_at=format_instant(office.now))

    office.tell(paid(office.now + MINUTE))
    office.run_until(office.now + 2 * MINUTE)
    last = answered(office, again)
    assert last == replace(sent, round=3, checked_at=format_instant(office.now), withdrawn=True)


def test_a_returned_reminder_goes_by_today_and_does_not_count_days() -> None:
    office, sent = sent_by(*TRUE_UNTIL_PAID[DUE])
    office.run_until(at("2026-06-10 23:59"))
    assert not answered(office, sent).withdrawn, "the due date is the last day to pay on time"
    office.run_until(at("2026-06-11 00:01"))
    assert answered(office, sent).withdrawn


def test_a_moved_due_date_withdraws() -> None:
    office, sent = past_due()
    office.tell(invoice_event(office.now, kind="updated", due_on="2026-06-11"))
    assert answered(office, sent).withdrawn


@pytest.mark.parametrize("outcome", ["failed", "succeeded"])
def test_what_cannot_unhappen_always_holds(outcome: str) -> None:
    office = Office(a_rulebook(a_rule(f"payment_{outcome}")))
    office.tell(account_event(office.now), invoice_event(office.now))
    office.run_until(office.now + MINUTE)
    office.tell(a_payment(office.now, outcome), paid(office.now))
    office.run_until(office.now + HOUR)
    (sent,) = office.outbox()
    assert not answered(office, sent).withdrawn


@pytest.mark.parametrize(
    ("trigger", "link"), [("user_created", "set_password_url"), ("user_forgot_password", "reset_url")]
)
def test_a_link_holds_until_it_has_expired(trigger: str, link: str) -> None:
    office = Office(a_rulebook(a_rule(trigger, critical=True)))
    type_ = "portal.user.created" if trigger == "user_created" else "portal.user.password_reset_requested"
    user = {"user_id": "u1", "name": "U", "email": "u@x.example", "language": "en", "company_id": "acme"}
    expires_at = office.now + HOUR
    said: dict[str, Any] = {"user": user, link: "https://x.example/secret", "expires_at": format_instant(expires_at)}
    office.tell(an_event(type_, office.now, account="u1", **said))
    office.run_until(office.now + MINUTE)
    (sent,) = office.outbox()
    office.run_until(expires_at - SECOND)
    again = answered(office, sent)
    assert not again.withdrawn
    office.now = expires_at
    assert answered(office, again).withdrawn


def test_an_initial_invoice_holds_until_it_is_void() -> None:
    office = Office(a_rulebook(a_rule("initial_invoice")))
    office.tell(account_event(office.now), invoice_event(office.now))
    office.run()
    (sent,) = office.outbox()
    office.tell(paid(office.now))
    assert not answered(office, sent).withdrawn
    office.tell(invoice_event(office.now, kind="updated", status="void"))
    assert answered(office, sent).withdrawn


def test_where_account_or_company_is_gone_nothing_holds() -> None:
    office, sent = past_due()
    assert answered(office, replace(sent, account_id="nobody")).withdrawn
    office.rulebook = a_rulebook(TRUE_UNTIL_PAID[PAST][0], companies=[a_company("other")])
    assert answered(office, sent).withdrawn


def test_a_return_moves_no_clock_and_changes_no_row() -> None:
    office, sent = past_due()
    before = office.rows()
    office.now += 30 * DAY
    answered(office, sent)
    assert office.rows() == before


def test_asked_amid_a_backlog_it_is_answered_by_what_was_known_then_and_again_behind_it() -> None:
    office, sent = past_due()
    office.now += 20 * MINUTE
    asked = office.now
    office.give_back(sent)
    office.now += MINUTE
    office.tell(paid(office.now))
    office.now += 2 * HOUR
    office.run()
    (early,) = office.outbox()
    assert (early.withdrawn, early.checked_at) == (False, format_instant(asked))
    assert answered(office, early).withdrawn


def test_what_was_told_before_the_question_counts_in_the_same_batch() -> None:
    office, sent = past_due()
    office.tell(paid(office.now))
    assert answered(office, sent).withdrawn


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"format": 2}, "", "format 2 is newer than this worker's 1"),
        ({"moment": "then"}, "moment", "is no instant"),
        ({"expires_at": "soon"}, "expires_at", "is no instant"),
        ({"trigger": "full_moon"}, "trigger", "is none that this worker knows"),
    ],
)
def test_what_cannot_be_answered_is_dead_lettered(changes: dict[str, Any], field: str, reason: str) -> None:
    office, sent = past_due()
    assert answered_beside(office, encode(replace(sent, **changes)), sent) == (field, reason)


@pytest.mark.parametrize("value", [None, b"", b"{", b'{"address": "fin@a1.example"}', b'{"round": "fin@a1.example"}'])
def test_what_is_no_notification_is_dead_lettered_without_a_word_of_it(value: bytes | None) -> None:
    office, sent = past_due()
    _, reason = answered_beside(office, value, sent)
    assert "cannot be read" in reason


def test_a_return_under_anothers_key_is_dead_lettered() -> None:
    office, sent = past_due()
    office.put_back(b"a2", encode(sent))
    office.run()
    assert [(each.field, each.reason) for each in office.dead_letters()] == [("key", "is unlike account_id")]
    assert office.outbox() == []


def answered_beside(office: Office, value: bytes | None, good: Notification) -> tuple[str, str]:
    """Return the dead letter's field and reason; the neighbour is answered, and no letter holds an address."""
    office.put_back(b"a1", value)
    assert answered(office, good).round == 2
    (letter,) = office.dead_letters()
    assert (letter.topic, letter.partition, letter.offset) == (NAMES.returns, 0, 0)
    assert "fin@" not in repr(letter)
    return letter.field, letter.reason


def test_live_workers_read_returns_which_no_tick_waits_for_and_a_played_history_has_none() -> None:
    live, played = bootstrap.triggers(Settings()), bootstrap.triggers(Settings(ticks="external"))
    assert live.merged == (*NAMES.facts, NAMES.returns, NAMES.replays)
    assert live.inputs == played.merged == NAMES.facts
