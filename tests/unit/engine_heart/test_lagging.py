"""Facts older than their account's clock, through `simulate` (DOMAIN.md, section 4, Facts that arrive late)."""

from app.domain.rules import Late
from tests.builders import (
    a_payment,
    a_rule,
    a_rulebook,
    a_span,
    account_event,
    in_brief,
    invoice_event,
    paid,
    simulated,
)

PAST, DUE = "invoice_past_due_for_days", "invoice_due_in_days"
KNOWN = account_event("2026-05-20 12:00")
CLOCK = account_event("2026-06-12 12:00")  # an event of 12 June, read before those below


def test_it_calls_up_the_moments_since_its_time_that_hold_with_it() -> None:
    rules = a_rulebook(*(a_rule(PAST, f"p{x}", x=x) for x in (1, 2, 3)))
    lines, _ = simulated([KNOWN, CLOCK, invoice_event("2026-06-11 10:00")], rules)
    assert in_brief(lines) == [
        "p2 invoice:i1:2026-06-10:2 06-12 09:00 sent",
        "p3 invoice:i1:2026-06-10:3 06-13 09:00 sent",
    ]
    assert lines[0]["decided_at"] == "2026-06-12T16:00:00Z"


def test_a_moment_at_its_own_time_is_among_them() -> None:
    lines, _ = simulated([KNOWN, CLOCK, invoice_event("2026-06-11 09:00")], a_rulebook(a_rule(PAST, x=1)))
    assert in_brief(lines) == ["invoice_past_due_for_days-1 invoice:i1:2026-06-10:1 06-11 09:00 sent"]


def test_an_invoice_and_its_payment_that_lag_together_send_nothing() -> None:
    events = [KNOWN, CLOCK, invoice_event("2026-06-10 12:00"), paid("2026-06-11 12:00")]
    assert simulated(events, a_rulebook(a_rule(PAST, x=1), a_rule(PAST, x=2))) == ([], [])


def test_a_payment_that_is_read_once_the_clock_has_moved_on_comes_too_late() -> None:
    events = [
        KNOWN,
        CLOCK,
        invoice_event("2026-06-10 12:00"),
        account_event("2026-06-12 12:01"),
        paid("2026-06-11 12:00"),
    ]
    lines, _ = simulated(events, a_rulebook(a_rule(PAST, x=1)))
    assert [line["outcome"] for line in lines] == ["sent"]


def test_late_applies_to_them() -> None:
    rules = a_rulebook(a_rule(PAST, x=1, late=Late("skip")))
    lines, _ = simulated([KNOWN, CLOCK, invoice_event("2026-06-10 12:00")], rules)
    assert in_brief(lines) == ["invoice_past_due_for_days-1 invoice:i1:2026-06-10:1 06-11 09:00 skipped(late)"]


def test_what_holds_without_it_too_is_not_called_up_again() -> None:
    """The reminder of the 11th was decided on the 11th; the lagging change of the amount calls for none."""
    events = [
        KNOWN,
        invoice_event("2026-05-20 12:00"),
        CLOCK,
        invoice_event("2026-06-10 12:00", kind="updated", balance=4000),
    ]
    lines, _ = simulated(events, a_rulebook(a_rule(PAST, x=1)))
    assert len(lines) == 1


def test_what_it_takes_back_stays_decided() -> None:
    events = [KNOWN, invoice_event("2026-05-20 12:00"), CLOCK, paid("2026-06-10 12:00")]
    lines, _ = simulated(events, a_rulebook(a_rule(PAST, x=1)))
    assert in_brief(lines) == ["invoice_past_due_for_days-1 invoice:i1:2026-06-10:1 06-11 09:00 sent"]


def test_flips_that_it_causes_count_from_the_clock() -> None:
    events = [KNOWN, account_event("2026-06-17 12:00"), invoice_event("2026-06-10 12:00")]
    rules = a_rulebook(a_rule("account_becomes_delinquent"), a_rule("invoice_delinquent_for_days", x=1))
    lines, _ = simulated(events, rules)
    assert in_brief(lines) == [
        "account_becomes_delinquent account:a1:2026-06-17 06-17 12:00 sent",
        "invoice_delinquent_for_days-1 invoice:i1:2026-06-17:1 06-18 09:00 sent",
    ]


def test_an_account_s_first_event_that_lags_calls_up_its_days() -> None:
    """The invoice was known before its account: with the account's event the condition of the 11th holds."""
    events = [invoice_event("2026-05-20 12:00"), a_payment("2026-06-12 12:00"), account_event("2026-06-10 12:00")]
    lines, _ = simulated(events, a_rulebook(a_rule(PAST, x=1)))
    assert in_brief(lines) == ["invoice_past_due_for_days-1 invoice:i1:2026-06-10:1 06-11 09:00 sent"]


def test_it_calls_up_nothing_from_before_the_simulation_began() -> None:
    events = [KNOWN, CLOCK, invoice_event("2026-06-10 12:00")]
    lines, _ = simulated(events, a_rulebook(a_rule(PAST, x=1), a_rule(PAST, x=2)), a_span("2026-06-12 00:00"))
    assert in_brief(lines) == ["invoice_past_due_for_days-2 invoice:i1:2026-06-10:2 06-12 09:00 sent"]


def test_a_dead_letter_moves_no_clock() -> None:
    """The account's event of 12 June names no company that there is: the invoice after it is on time."""
    broken = account_event("2026-06-12 12:00", company_id="nobody")
    lines, breaches = simulated([KNOWN, broken, invoice_event("2026-06-01 12:00")], a_rulebook(a_rule(DUE, x=0)))
    assert in_brief(lines) == ["invoice_due_in_days-0 invoice:i1:2026-06-10:0 06-10 09:00 sent"]
    assert lines[0]["decided_at"] == lines[0]["moment"]
    assert [(breach.line, breach.field) for breach in breaches] == [(2, "data.company_id")]


def test_a_dead_letter_after_the_last_instant_is_reported_too() -> None:
    broken = account_event("2026-08-12 12:00", company_id="nobody")
    _, breaches = simulated([KNOWN, broken], a_rulebook())
    assert [breach.line for breach in breaches] == [2]


def test_a_dead_letter_is_not_known_so_that_a_corrected_one_may_keep_its_id() -> None:
    events = [
        account_event("2026-05-20 12:00", id_="one", company_id="nobody"),
        account_event("2026-05-20 12:00", id_="one"),
        invoice_event("2026-05-20 12:00"),
    ]
    lines, _ = simulated(events, a_rulebook(a_rule(DUE, x=0)))
    assert len(lines) == 1


def test_the_order_of_two_accounts_in_the_file_does_not_matter() -> None:
    one = [KNOWN, invoice_event("2026-05-20 12:00")]
    other = [account_event("2026-05-20 12:00", account="b"), invoice_event("2026-05-20 12:00", account="b")]
    rules = a_rulebook(a_rule(PAST, x=1))
    assert in_brief(simulated(one + other, rules)[0]) == in_brief(simulated(other + one, rules)[0])
