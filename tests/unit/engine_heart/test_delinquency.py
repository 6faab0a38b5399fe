"""When invoices become delinquent and episodes begin and end, through `simulate` (DOMAIN.md, section 3.2)."""

from typing import Any

import pytest

from app.domain.companies import Exclusion
from tests.builders import (
    Event,
    a_company,
    a_rule,
    a_rulebook,
    account_event,
    in_brief,
    invoice_event,
    paid,
    simulated,
)

KNOWN = account_event("2026-05-20 12:00")
ISSUED = invoice_event("2026-05-20 12:00")
BECOMES = "account_becomes_delinquent"
WARNS = "invoice_becomes_delinquent_in_days"


def brief(*events: Event, rule: str = BECOMES, company: Any = None, **fields: Any) -> list[str]:
    rules = a_rulebook(a_rule(rule, "r", **fields), companies=[company or a_company()])
    return [line.removeprefix("r ") for line in in_brief(simulated(events, rules)[0])]


@pytest.mark.parametrize(("grace", "day"), [(0, 11), (1, 11), (2, 12), (5, 15)])
def test_nobody_is_delinquent_before_being_past_due(grace: int, day: int) -> None:
    assert brief(KNOWN, invoice_event("2026-05-20 12:00", grace_days=grace)) == [
        f"account:a1:2026-06-{day} 06-{day} 09:00 sent"
    ]


@pytest.mark.parametrize(("grace_until", "day"), [("2026-06-14", 15), ("2026-06-15", 15), ("2026-06-16", 16)])
def test_on_the_day_of_its_override_an_account_can_be_delinquent(grace_until: str, day: int) -> None:
    account = account_event("2026-05-20 12:00", grace_until=grace_until)
    assert brief(account, ISSUED) == [f"account:a1:2026-06-{day} 06-{day} 09:00 sent"]


def test_an_override_that_is_set_ends_the_delinquency_until_it_is_over() -> None:
    events = [KNOWN, ISSUED, account_event("2026-06-16 12:00", grace_until="2026-06-20")]
    assert brief(*events) == ["account:a1:2026-06-15 06-15 09:00 sent", "account:a1:2026-06-20 06-20 09:00 sent"]
    assert brief(*events, rule="invoice_delinquent_for_days", x=2) == ["invoice:i1:2026-06-20:2 06-22 09:00 sent"]


def test_an_override_of_today_or_earlier_undoes_nothing() -> None:
    events = [KNOWN, ISSUED, account_event("2026-06-16 12:00", grace_until="2026-06-16")]
    assert brief(*events) == ["account:a1:2026-06-15 06-15 09:00 sent"]


def test_a_flip_after_send_time_has_its_moment_at_the_flip() -> None:
    events = [account_event("2026-05-20 12:00", grace_until="2026-07-01"), ISSUED, account_event("2026-06-17 10:30")]
    assert brief(*events) == ["account:a1:2026-06-17 06-17 10:30 sent"]


def test_a_flip_before_send_time_has_its_moment_at_send_time() -> None:
    events = [account_event("2026-05-20 12:00", grace_until="2026-07-01"), ISSUED, account_event("2026-06-17 08:30")]
    assert brief(*events) == ["account:a1:2026-06-17 06-17 09:00 sent"]


def test_an_episode_that_is_over_by_send_time_does_not_come_up() -> None:
    assert brief(KNOWN, ISSUED, paid("2026-06-15 08:59")) == []


def test_one_message_an_episode() -> None:
    other = invoice_event("2026-05-20 12:00", invoice_id="i2", due_on="2026-06-12")
    assert brief(KNOWN, ISSUED, other, paid("2026-06-20 12:00")) == ["account:a1:2026-06-15 06-15 09:00 sent"]


def test_an_episode_lasts_until_no_delinquent_invoice_is_left() -> None:
    other = invoice_event("2026-05-20 12:00", invoice_id="i2", due_on="2026-06-12")
    third = invoice_event("2026-05-20 12:00", invoice_id="i3", due_on="2026-06-20")
    ended = [paid("2026-06-18 12:00"), paid("2026-06-19 12:00", invoice_id="i2")]
    assert brief(KNOWN, ISSUED, other, third, *ended) == [
        "account:a1:2026-06-15 06-15 09:00 sent",
        "account:a1:2026-06-25 06-25 09:00 sent",
    ]


def test_two_episodes_that_begin_on_one_day_are_one_subject() -> None:
    bounced = invoice_event("2026-06-15 14:00", kind="updated")
    assert brief(KNOWN, ISSUED, paid("2026-06-15 12:00"), bounced) == ["account:a1:2026-06-15 06-15 09:00 sent"]


def test_per_invoice_each_has_its_message() -> None:
    other = invoice_event("2026-05-20 12:00", invoice_id="i2", due_on="2026-06-12")
    assert brief(KNOWN, ISSUED, other, per="invoice") == [
        "invoice:i1:2026-06-15 06-15 09:00 sent",
        "invoice:i2:2026-06-17 06-17 09:00 sent",
    ]


def test_exclusions_and_check_weekdays_defer_the_flip_together() -> None:
    """Nominal Monday the 15th; checked are Mondays and Thursdays; the 18th is excluded."""
    account = account_event("2026-05-20 12:00", delinquency={"check_weekdays": ["mon", "thu"]})
    company = a_company(exclusions=(Exclusion(day=15, month=6), Exclusion(day=18, month=6, year=2026)))
    assert brief(account, ISSUED, company=company) == ["account:a1:2026-06-22 06-22 09:00 sent"]
    assert brief(account, ISSUED, company=company, rule=WARNS, x=3) == ["invoice:i1:2026-06-22:3 06-19 09:00 sent"]


def test_an_event_on_an_excluded_day_moves_nothing_in() -> None:
    company = a_company(exclusions=(Exclusion(day=17, month=6),))
    events = [account_event("2026-05-20 12:00", grace_until="2026-07-01"), ISSUED, account_event("2026-06-17 12:00")]
    assert brief(*events, company=company) == ["account:a1:2026-06-18 06-18 09:00 sent"]


MINIMUM = account_event("2026-05-20 12:00", delinquency={"minimum_amount": {"amount": 6000, "currency": "USD"}})


def test_under_the_minimum_amount_no_date_is_in_sight() -> None:
    assert brief(MINIMUM, ISSUED) == []
    assert brief(MINIMUM, ISSUED, rule=WARNS, x=1) == []


def test_other_currencies_are_not_gated_and_do_not_count() -> None:
    euros = invoice_event("2026-05-20 12:00", invoice_id="i2", currency="EUR", due_on="2026-06-12")
    assert brief(MINIMUM, ISSUED, euros, per="invoice") == ["invoice:i2:2026-06-17 06-17 09:00 sent"]


def test_an_invoice_that_is_not_yet_at_its_nominal_date_does_not_count() -> None:
    other = invoice_event("2026-05-20 12:00", invoice_id="i2", due_on="2026-06-20")
    assert brief(MINIMUM, ISSUED, other) == ["account:a1:2026-06-25 06-25 09:00 sent"]
    assert brief(MINIMUM, ISSUED, other, rule=WARNS, x=1) == [
        "invoice:i1:2026-06-25:1 06-24 09:00 sent",
        "invoice:i2:2026-06-25:1 06-24 09:00 sent",
    ]


def test_falling_below_the_minimum_later_undoes_nothing() -> None:
    other = invoice_event("2026-05-20 12:00", invoice_id="i2")
    events = [MINIMUM, ISSUED, other, paid("2026-06-16 12:00", invoice_id="i2")]
    assert brief(*events, rule="invoice_delinquent_for_days", x=3) == ["invoice:i1:2026-06-15:3 06-18 09:00 sent"]


def test_an_amount_that_grows_moves_in_at_once() -> None:
    grown = invoice_event("2026-06-18 12:00", kind="updated", balance=6000)
    assert brief(MINIMUM, ISSUED, grown) == ["account:a1:2026-06-18 06-18 12:00 sent"]


def test_a_due_date_that_moves_ahead_ends_the_delinquency_and_earns_a_new_warning() -> None:
    moved = invoice_event("2026-06-16 12:00", kind="updated", due_on="2026-06-20")
    assert brief(KNOWN, ISSUED, moved) == [
        "account:a1:2026-06-15 06-15 09:00 sent",
        "account:a1:2026-06-25 06-25 09:00 sent",
    ]
    assert brief(KNOWN, ISSUED, moved, rule=WARNS, x=1) == [
        "invoice:i1:2026-06-15:1 06-14 09:00 sent",
        "invoice:i1:2026-06-25:1 06-24 09:00 sent",
    ]


@pytest.mark.parametrize("end", [{"status": "void"}, {"status": "written_off"}, {"balance": 0}, {"balance": -100}])
def test_what_is_not_open_is_not_chased(end: dict[str, Any]) -> None:
    ended = invoice_event("2026-06-01 12:00", kind="updated", **end)
    for rule, x in ((BECOMES, None), (WARNS, 1), ("invoice_past_due_for_days", 1), ("invoice_due_in_days", 0)):
        assert brief(KNOWN, ISSUED, ended, rule=rule, x=x) == []


def test_an_older_version_of_an_invoice_is_ignored_and_an_equal_one_overwrites() -> None:
    versions = [
        invoice_event("2026-05-20 12:00", version=3, due_on="2026-06-10"),
        invoice_event("2026-05-21 12:00", kind="updated", version=2, due_on="2026-06-11"),
        invoice_event("2026-05-22 12:00", kind="updated", version=3, due_on="2026-06-12"),
    ]
    assert brief(KNOWN, *versions, rule="invoice_due_in_days", x=0) == ["invoice:i1:2026-06-12:0 06-12 09:00 sent"]


def test_one_without_a_version_applies_in_log_order() -> None:
    versions = [
        invoice_event("2026-05-20 12:00", version=3),
        invoice_event("2026-05-21 12:00", kind="updated", due_on="2026-06-12"),
        invoice_event("2026-05-22 12:00", kind="updated", version=2, due_on="2026-06-14"),
    ]
    assert brief(KNOWN, *versions, rule="invoice_due_in_days", x=0) == ["invoice:i1:2026-06-12:0 06-12 09:00 sent"]


INITIAL = "initial_invoice"


def activation(time: str, *, activates: bool = True, kind: str = "updated") -> Event:
    return account_event(time, kind=kind, status={"name": "S", "activates": activates})


def test_the_initial_invoice_is_the_first_one_issued_since_the_activation() -> None:
    events = [
        activation("2026-06-01 12:00", activates=False),
        invoice_event("2026-06-01 13:00"),
        activation("2026-06-02 12:00"),
        invoice_event("2026-06-02 13:00", invoice_id="i2"),
        invoice_event("2026-06-02 14:00", invoice_id="i3"),
    ]
    assert brief(*events, rule=INITIAL) == ["account:a1 06-02 13:00 sent"]


def test_an_invoice_known_before_is_no_initial_one() -> None:
    events = [
        activation("2026-06-01 12:00"),
        invoice_event("2026-06-01 13:00", kind="updated"),
        invoice_event("2026-06-01 14:00"),
        invoice_event("2026-06-01 15:00", invoice_id="i2"),
    ]
    assert brief(*events, rule=INITIAL) == ["account:a1 06-01 15:00 sent"]


def test_after_an_activation_by_snapshot_there_is_no_initial_invoice() -> None:
    events = [activation("2026-06-01 12:00", kind="snapshot"), activation("2026-06-01 13:00")]
    assert brief(*events, invoice_event("2026-06-01 14:00"), rule=INITIAL) == []


def test_an_invoice_that_a_snapshot_brings_after_the_activation_takes_the_initial_one_s_place() -> None:
    events = [activation("2026-06-01 12:00"), invoice_event("2026-06-01 13:00", kind="snapshot")]
    assert brief(*events, invoice_event("2026-06-01 14:00", invoice_id="i2"), rule=INITIAL) == []


def test_one_that_a_snapshot_brought_before_the_activation_does_not() -> None:
    events = [invoice_event("2026-06-01 11:00", kind="snapshot"), activation("2026-06-01 12:00")]
    assert brief(*events, invoice_event("2026-06-01 14:00", invoice_id="i2"), rule=INITIAL) == [
        "account:a1 06-01 14:00 sent"
    ]


def test_an_account_activates_for_the_first_time_once() -> None:
    events = [
        activation("2026-06-01 12:00"),
        invoice_event("2026-06-01 13:00"),
        activation("2026-06-02 12:00", activates=False),
        activation("2026-06-03 12:00"),
        invoice_event("2026-06-03 13:00", invoice_id="i2"),
    ]
    assert brief(*events, rule=INITIAL) == ["account:a1 06-01 13:00 sent"]


def test_a_void_initial_invoice_is_no_longer_true() -> None:
    events = [activation("2026-06-01 12:00"), invoice_event("2026-06-01 13:00", status="void")]
    assert brief(*events, rule=INITIAL) == ["account:a1 06-01 13:00 skipped(no_longer_true)"]


def test_a_paid_initial_invoice_is_sent() -> None:
    events = [activation("2026-06-01 12:00"), invoice_event("2026-06-01 13:00", status="paid", balance=0)]
    assert brief(*events, rule=INITIAL) == ["account:a1 06-01 13:00 sent"]
