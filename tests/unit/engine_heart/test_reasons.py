"""Each outcome and each reason of DOMAIN.md, section 4.1, comes out of some history through the heart."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from app.contract.instants import MINUTE
from app.domain.companies import Company, Holidays
from app.domain.occasion import Outcome, Reason
from app.domain.rules import Filters, Hours, Late, Rule
from app.domain.switches import Guard, Kill, Switches, Trip, TripId
from tests.builders import (
    Event,
    a_company,
    a_payment,
    a_rule,
    a_rulebook,
    a_span,
    account_event,
    an_event,
    at,
    invoice_event,
    paid,
    simulated,
)

FAILED, PAST = "payment_failed", "invoice_past_due_for_days"
Found = set[tuple[Outcome, Reason | None]]
NOON = "2026-06-10 12:00"  # a Wednesday
KNOWN = account_event("2026-05-20 12:00")
ISSUED = invoice_event("2026-05-20 12:00")
PAYMENT = a_payment(NOON)
PAUSE = ("2026-06-10 11:00", "2026-06-10 13:00")
WHOLE_MORNING = ("2026-06-11 08:00", "2026-06-11 18:00")


def outcomes(
    rules: list[Rule] | Rule,
    *events: Event,
    pause: tuple[str, str] | None = None,
    company: Company | None = None,
    switches: Switches | None = None,
) -> Found:
    rulebook = a_rulebook(*(rules if isinstance(rules, list) else [rules]), companies=[company or a_company()])
    rulebook.switches = switches or Switches()
    span = a_span("2026-06-01 00:00", "2026-07-15 00:00", *([pause] if pause else []))
    lines, _ = simulated(events, rulebook, span)
    return {(Outcome(line["outcome"]), Reason(line["reason"]) if line["reason"] else None) for line in lines}


def failed(**options: Any) -> Rule:
    return a_rule(FAILED, **options)


def latest_only() -> list[Rule]:
    return [a_rule(PAST, f"p{x}", x=x, late=Late("latest_only")) for x in (1, 2)]


def someone(**said: Any) -> Event:
    contact = {"contact_id": "fin", "email": "fin@a1.example", "categories": ["financial"]}
    return account_event("2026-05-20 12:00", contacts=[contact | said])


def reset(expires_at: str) -> Event:
    user = {"user_id": "u1", "name": "U", "email": "u@x.example", "language": "en", "company_id": "acme"}
    said: dict[str, Any] = {"user": user, "reset_url": "https://x.example/r", "expires_at": expires_at}
    return an_event("portal.user.password_reset_requested", NOON, account="u1", **said)


SKIPPED: dict[Reason, Callable[[], Found]] = {
    Reason.DUPLICATE: lambda: outcomes(failed(), KNOWN, PAYMENT, a_payment("2026-06-10 12:01")),
    Reason.RULE_CHANGED: lambda: outcomes(
        [failed(), failed(enabled=False, version=2, enabled_at=at("2026-06-10 12:30"))], KNOWN, PAYMENT, pause=PAUSE
    ),
    Reason.NO_LONGER_TRUE: lambda: outcomes(
        a_rule(PAST, x=1), KNOWN, ISSUED, paid("2026-06-11 09:30"), pause=WHOLE_MORNING
    ),
    Reason.FILTERED: lambda: outcomes(failed(when=Filters(company=("beta",))), KNOWN, PAYMENT),
    Reason.EXPIRED: lambda: outcomes(a_rule("user_forgot_password"), reset("2026-06-10T16:00:00Z")),
    Reason.LATE: lambda: outcomes(failed(late=Late("send", 10 * MINUTE)), KNOWN, PAYMENT, pause=PAUSE),
    Reason.NO_RECIPIENT: lambda: outcomes(failed(), someone(email=None), PAYMENT),
    Reason.OPTED_OUT: lambda: outcomes(failed(), someone(email_opt_out=True), PAYMENT),
    Reason.CAPPED: lambda: outcomes(
        failed(cap=1, late=Late("send", MINUTE)),
        KNOWN,
        *(a_payment(f"2026-06-10 12:0{number}", attempt=number) for number in (1, 2, 3)),
    ),
}
HELD: dict[Reason, Callable[[], Found]] = {
    Reason.UNKNOWN_ACCOUNT: lambda: outcomes(failed(), PAYMENT),
    Reason.KILL_SWITCH: lambda: outcomes(failed(), KNOWN, PAYMENT, switches=Switches(Kill(all=True))),
    Reason.GUARD: lambda: outcomes(
        failed(), KNOWN, PAYMENT, switches=Switches(guard=Guard(open=(Trip(TripId(FAILED, 0, 1), 2, 1),)))
    ),
    Reason.HOLIDAY: lambda: outcomes(
        failed(hours=Hours(skip_holidays=True)),
        KNOWN,
        PAYMENT,
        company=a_company(holidays=Holidays(dates=(date(2026, 6, 10),))),
    ),
    Reason.WEEKDAY: lambda: outcomes(failed(hours=Hours(weekdays=(3,))), KNOWN, PAYMENT),
    Reason.WINDOW: lambda: outcomes(failed(hours=Hours(window=(8 * 60, 12 * 60))), KNOWN, PAYMENT),
    Reason.CAPPED: lambda: outcomes(failed(cap=1), KNOWN, PAYMENT, a_payment("2026-06-10 12:01", attempt=2)),
}
UNREASONED: dict[Outcome, Callable[[], Found]] = {
    Outcome.SENT: lambda: outcomes(failed(), KNOWN, PAYMENT),
    Outcome.SUPERSEDED: lambda: outcomes(latest_only(), KNOWN, ISSUED, pause=("2026-06-11 08:00", "2026-06-12 18:00")),
}


@pytest.mark.parametrize("reason", SKIPPED, ids=str)
def test_it_is_skipped_for_every_reason_that_ends_it(reason: Reason) -> None:
    assert (Outcome.SKIPPED, reason) in SKIPPED[reason]()


@pytest.mark.parametrize("reason", HELD, ids=str)
def test_it_is_held_for_every_reason_to_wait(reason: Reason) -> None:
    assert (Outcome.HELD, reason) in HELD[reason]()


@pytest.mark.parametrize("outcome", UNREASONED, ids=str)
def test_what_is_sent_or_superseded_needs_no_reason(outcome: Outcome) -> None:
    assert (outcome, None) in UNREASONED[outcome]()


def test_there_is_no_other_outcome_and_no_other_reason() -> None:
    assert {*UNREASONED, Outcome.SKIPPED, Outcome.HELD} == set(Outcome)
    assert {*SKIPPED, *HELD} == set(Reason)
