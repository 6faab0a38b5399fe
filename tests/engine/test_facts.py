"""A decision's record says by which facts it was made, and nothing secret (DOMAIN.md, section 6)."""

from typing import Any

import pytest

from app.contract.instants import DAY, format_instant
from app.domain.rules import Hours
from tests.builders import Event, a_payment, a_rule, a_rulebook, account_event, an_event, at, invoice_event, paid
from tests.engine.office import Office

BEGIN = at("2026-06-01 00:00")
OWED = {"invoice": "i1", "status": "open", "balance": 5000, "currency": "USD", "due_on": "2026-06-10"}
USER = {"user_id": "a1", "name": "U", "email": "u@x.example", "language": "en", "company_id": "acme"}
CARD: dict[str, Any] = {"card_id": "c1", "brand": "visa", "last4": "4242", "expires": "2026-06", "autopay": True}
STORED = {"card": "c1", "expires": "2026-06", "autopay": True}
CYCLE: dict[str, Any] = {"cycle_start": "2026-06-01", "used_bytes": 90, "cap_bytes": 100}
USAGE: dict[str, Any] = {"policy_id": "p", "cycle_end": "2026-07-01", **CYCLE}
START = format_instant(BEGIN + 9 * DAY)
TIMES = {"starts_at": START, "ends_at": START}
JOB: dict[str, Any] = {"job_id": "j1", "job_type": "install", "technician": {"id": "t", "name": "T"}, **TIMES}
LINK: dict[str, Any] = {"user": USER, "reset_url": "https://x.example/secret", "expires_at": START}
PLANNED = {"job": "j1", "scheduled": True, "starts_at": START}
RESET = "portal.user.password_reset_requested"
EMAILED = an_event("billing.invoice.emailed", BEGIN, invoice_id="i9", contact_id="fin")
FAILED = {"payment": "p1", "amount": {"amount": 5000, "currency": "USD"}, "attempt": 1}
FLIPPED = {"status": "Active", "delinquent_since": "2026-06-15"}
CASES = [
    ("invoice_past_due_for_days", 2, invoice_event(BEGIN), OWED),
    ("account_becomes_delinquent", None, invoice_event(BEGIN), FLIPPED),
    ("invoice_emailed", None, EMAILED, {"invoice": "i9"}),
    ("credit_card_expiring", 1, an_event("billing.card.updated", BEGIN, **CARD), STORED),
    ("job_scheduled", None, an_event("jobs.job.scheduled", BEGIN, **JOB), PLANNED),
    ("usage_reaches_percent", 80, an_event("billing.usage.recorded", BEGIN, **USAGE), {"usage": "p", **CYCLE}),
    ("payment_failed", None, a_payment(BEGIN), FAILED),
    ("user_forgot_password", None, an_event(RESET, BEGIN, **LINK), {}),
]


def decided(trigger: str, *events: Event, **fields: Any) -> dict[str, Any]:
    """The only decision by the only rule, within two weeks."""
    office = Office(a_rulebook(a_rule(trigger, "rule", categories=("financial",), **fields)))
    office.tell(account_event(BEGIN), *events)
    for day in (0, 12, 15):
        office.run_until(BEGIN + day * DAY)
    (line,) = office.decisions()
    assert "x.example" not in str(line["facts"])
    return line


@pytest.mark.parametrize(("trigger", "x", "event", "facts"), CASES)
def test_a_decision_says_by_which_facts(trigger: str, x: int | None, event: Event, facts: dict[str, Any]) -> None:
    assert decided(trigger, event, x=x)["facts"] == facts


def test_what_is_no_longer_true_says_what_is() -> None:
    office = Office(a_rulebook(a_rule("invoice_past_due_for_days", x=2, hours=Hours(window=(20 * 60, 21 * 60)))))
    office.tell(account_event(BEGIN), invoice_event(BEGIN))
    office.run_until(BEGIN)
    office.run_until(at("2026-06-12 09:00"))
    office.tell(paid(office.now))
    office.run_until(at("2026-06-12 20:00"))
    held, skipped = office.decisions()
    assert (held["outcome"], held["facts"]) == ("held", OWED)
    assert (skipped["reason"], skipped["facts"]) == ("no_longer_true", OWED | {"status": "paid", "balance": 0})
