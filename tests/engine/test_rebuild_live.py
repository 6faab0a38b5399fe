"""State made anew as it is in live mode: with holds, ticks long gone, and topics made anew."""

from collections.abc import Iterable
from typing import Any

import pytest
from msgspec.structs import replace

from app.contract.instants import DAY, HOUR, MINUTE, SECOND, parse_instant
from app.domain.book import SEEN, pending_of
from app.domain.rules import Rulebook
from app.domain.switches import Guard, Kill, Switches
from app.engine.dead_letters import DeadLetter
from app.engine.guard import Allowance
from app.engine.records import COMMIT_KEY, PlainRecord, decode_commit, encode_commit
from app.engine.ticks import MILLISECOND
from app.rebuild.replay import Refusal, refusals
from tests.builders import (
    a_company,
    a_payment,
    a_rule,
    a_rulebook,
    account_event,
    an_event,
    at,
    invoice_event,
    written,
)
from tests.engine.office import Office
from tests.engine.rebuilding import left, rebuilt
from tests.lanes import NAMES


@pytest.mark.parametrize("forgotten", [0, 100_000], ids=["all ticks are kept", "ticks are long gone"])
def test_live_too_the_rows_come_out_whatever_is_held(forgotten: int) -> None:
    """Ticks every ten seconds around what happens; a kill switch that is on, and a guard that has tripped."""
    past, failed = a_rule("invoice_past_due_for_days", x=1), a_rule("payment_failed")
    office = Office(Rulebook([past, failed], {"acme": a_company()}), guard=Allowance(max_per_hour=1))
    for number in range(120):
        account = f"a{number}"
        office.tell(
            account_event("2026-06-01 00:00", account=account), invoice_event("2026-06-01 00:00", account=account)
        )
    instant = at("2026-06-01 00:00")
    for time in ("2026-06-10 12:00", "2026-06-11 09:00", "2026-06-11 12:00", "2026-06-12 00:00", "2026-06-12 08:00"):
        while instant < at(time):
            instant = min(instant + 10 * MINUTE, at(time))
            office.run_until(instant)
        office.now += 5 * SECOND
        happened = at(time) + 2 * SECOND
        office.tell(*(a_payment(happened, account=f"a{n}", payment_id=f"p{happened}") for n in range(0, 120, 7)))
        office.run()
        kill = Switches(Kill(all=time > "2026-06-11 10:00"), Guard(open=tuple(office.told)))
        office.rulebook = Rulebook([past, failed], office.rulebook.companies, office.rulebook.offset + 1, kill)
    found, logs = left(office), dict(office.logs)
    assert {pending_of(k, v).why for k, v in found.rows.items() if b"/pending/" in k} == {"guard", "kill_switch"}
    logs[NAMES.ticks] = logs[NAMES.ticks][forgotten:]
    result = rebuilt(logs, office.rulebook, found, live=True)
    assert not result.comparison.found
    assert not result.undecided


@pytest.fixture
def office() -> Office:
    """Of live mode, with a rule of days and one of events."""
    return Office(a_rulebook(a_rule("invoice_past_due_for_days", x=1), a_rule("payment_failed")))


def pass_time(office: Office, until: str) -> None:
    while office.now < at(until):
        office.run_until(min(office.now + 10 * MINUTE, at(until)))


def open_accounts(office: Office, numbers: Iterable[int], **invoice: Any) -> None:
    """Tell of accounts with an invoice each, a day late."""
    for number in numbers:
        then, account = office.now - DAY, f"a{number}"
        office.tell(account_event(then, account=account), invoice_event(then, account=account, **invoice))
    office.run()


def fail_payments(office: Office, account: str, count: int) -> None:
    office.tell(*(a_payment(office.now, account=account, payment_id=f"p{n}") for n in range(count)))
    office.run()


def make_billing_anew(office: Office) -> None:
    """Delete the topic, and have workers go on at the beginning of the new one."""
    office.logs[NAMES.billing] = []
    commit = decode_commit(office.store.get(COMMIT_KEY) or b"")
    moved = replace(commit, positions=commit.positions | {NAMES.billing: 0})
    office.store.write({COMMIT_KEY: encode_commit(moved)}, office.store.offset)


def test_where_a_topic_was_made_anew_accounts_with_events_of_the_old_one_keep_their_rows(office: Office) -> None:
    """Some have events of both, one of them so many that it knows none of the old topic's; all others come out."""
    open_accounts(office, range(40))
    pass_time(office, "2026-06-02 00:00")
    make_billing_anew(office)
    open_accounts(office, range(35, 60), due_on="2026-05-29", grace_days=1)
    pass_time(office, "2026-06-02 00:10")
    fail_payments(office, "a39", SEEN)
    pass_time(office, "2026-06-03 12:00")
    result = rebuilt(office.logs, office.rulebook, left(office), live=True)
    assert result.kept == {f"a{number}" for number in range(40)}
    assert not result.comparison.found
    assert not result.undecided


def test_topics_that_hold_everything_tell_accounts_with_more_events_than_are_known(office: Office) -> None:
    """Also where one was read after those that are older by their time: across topics it is the first, made anew."""
    open_accounts(office, (1, 2))
    told = written(an_event("portal.contact.password_changed", office.now, contact_id="fin"))
    early = PlainRecord(NAMES.portal, 0, 0, office.now // MILLISECOND, b"a1", told)
    office.now += MINUTE
    fail_payments(office, "a1", SEEN + 20)
    office.logs[NAMES.portal].append(early)
    office.run()
    pass_time(office, "2026-06-01 01:00")
    result = rebuilt(office.logs, office.rulebook, left(office), live=True)
    assert not result.kept


def test_a_letter_of_the_topic_before_refuses_no_record_of_the_one_that_was_made_anew(office: Office) -> None:
    """Of its own records those stay refused whose publisher's clock is ahead."""
    office.tell(*(account_event(office.now, company_id="nobody") for _ in range(2)))
    pass_time(office, "2026-06-01 01:00")
    office.tell(account_event(office.now, account="a7", company_id="nobody"))
    office.run()
    make_billing_anew(office)
    open_accounts(office, (1,))
    office.tell(account_event(office.now, account="a2"))
    now, office.now = office.now, office.now + HOUR
    office.tell(a_payment(office.now))
    office.now = now
    pass_time(office, "2026-06-01 03:00")
    letters = [(letter.offset, letter.field) for letter in office.dead_letters()]
    assert letters == [*((offset, "data.company_id") for offset in range(3)), (3, "time")]
    result = rebuilt(office.logs, office.rulebook, left(office), live=True)
    assert not result.kept
    assert not result.comparison.found


def test_a_letter_says_when_its_record_was_refused_and_not_when_it_was_closed() -> None:
    letter = DeadLetter(topic=NAMES.billing, partition=0, offset=3, field="time", reason="", at="2026-06-01T00:00:00Z")
    closed = replace(letter, state="dropped", at="2026-06-02T00:00:00Z")
    record, refusal = (NAMES.billing, 3), Refusal(b"a1", parse_instant(letter.at))
    assert refusals([(b"a1", letter), (b"a1", closed)]) == {record: refusal}
