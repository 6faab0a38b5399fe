"""Hypothesis strategies of whole histories.

A history is facts in log order with rules, companies and the span it is played over. Everything in it happens within a
few days around one change of some zone's clocks, at instants that matter: midnights, send times, a little before and
after.
"""

import json
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from app.contract.instants import DAY, HOUR, MINUTE, SECOND, Instant, format_instant
from app.domain.builtin import BUILT_IN
from app.domain.calendar import first_instant
from app.domain.companies import Company, EarlierZone, Exclusion, Holidays
from app.domain.rules import Filters, Hours, Late, Rule, Rulebook
from app.simulate.run import Pause, Span
from tests.builders import Event, a_company, a_payment, a_rule, account_event, an_event, invoice_event

CHANGES = (
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 6, 10)),
    ("America/St_Johns", date(2010, 11, 7)),
    ("America/Havana", date(2026, 11, 1)),
    ("Africa/Cairo", date(2026, 4, 24)),
    ("Asia/Beirut", date(2026, 3, 29)),
    ("Asia/Kathmandu", date(2026, 6, 10)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Europe/Dublin", date(2026, 10, 25)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("Pacific/Chatham", date(2026, 4, 5)),
    ("UTC", date(2026, 12, 31)),
)
"""A zone, and a day on or around which something is odd there."""

EVENTS = (
    "account_address_changed",
    "account_first_activated",
    "billing_run_succeeded",
    "contact_password_changed",
    "contract_pending_signature",
    "contract_signed_copy",
    "initial_invoice",
    "invoice_emailed",
    "job_scheduled",
    "late_fee_applied",
    "payment_failed",
    "payment_receipt",
    "payment_refunded",
    "payment_succeeded",
)
HOURS = (
    Hours(window=(8 * 60, 20 * 60)),
    Hours(window=(20 * 60, 2 * 60)),
    Hours(weekdays=(0, 1, 2, 3, 4)),
    Hours(any_time=True, skip_holidays=True),
)
FILTERS = (
    Filters(company=("acme",)),
    Filters(account_status=("Active",), autopay=False),
    Filters(minimum_amount=3000, minimum_currency="USD"),
    Filters(job_type=("install",)),
)
METHOD = {"kind": "card", "last4": "4242"}
SEND_TIMES = ("00:00", "00:30", "02:30", "09:00", "23:45")
NEAR = (-HOUR, -10 * SECOND, 0, 0, 10 * SECOND, 10 * MINUTE, 7 * HOUR)
LAGS = (0, 0, 0, 0, 0, 20 * SECOND, 14 * MINUTE, 3 * HOUR, 26 * HOUR)
DAYS_AROUND = 3


@dataclass(frozen=True)
class History:
    """Events in log order, and how they are played."""

    events: list[Event]
    rules: list[Rule]
    companies: list[Company]
    span: Span
    zone: str = field(repr=False)

    @property
    def rulebook(self) -> Rulebook:
        """The configuration."""
        return Rulebook(self.rules, {company.id: company for company in self.companies})

    @property
    def lines(self) -> list[bytes]:
        """The events as a file's lines."""
        return [json.dumps(event).encode() for event in self.events]

    def with_events(self, events: list[Event]) -> "History":
        """The same with other events."""
        return History(events, self.rules, self.companies, self.span, self.zone)

    def with_span(self, span: Span) -> "History":
        """The same over another span."""
        return History(self.events, self.rules, self.companies, span, self.zone)


def zones() -> st.SearchStrategy[tuple[str, date]]:
    """A zone and a day around which it is looked at."""
    return st.sampled_from(CHANGES)


@st.composite
def instants(draw: st.DrawFn, zone: str, around: date, before: int = DAYS_AROUND, after: int = DAYS_AROUND) -> Instant:
    """An instant around a day: near a midnight, a send time or noon."""
    day = around + timedelta(days=draw(st.integers(-before, after)))
    minutes = draw(st.sampled_from((0, 9 * 60, 9 * 60, 12 * 60, 2 * 60 + 30, 23 * 60 + 45)))
    return first_instant(zone, day, minutes) + draw(st.sampled_from(NEAR))


def days(around: date, reach: int = DAYS_AROUND) -> st.SearchStrategy[date]:
    """A day around another."""
    return st.integers(-reach, reach).map(lambda n: around + timedelta(days=n))


@st.composite
def rules(draw: st.DrawFn, zone: str, around: date) -> list[Rule]:
    """Rules of all triggers, one of them perhaps with a second version."""
    made = [rule for rule in BUILT_IN if draw(st.booleans())]
    for trigger, least in (
        ("invoice_due_in_days", 0),
        ("invoice_past_due_for_days", 1),
        ("invoice_becomes_delinquent_in_days", 1),
        ("invoice_delinquent_for_days", 1),
        ("credit_card_expiring", 1),
    ):
        late = draw(lates())
        for x in draw(st.lists(st.integers(least, 3), min_size=1, max_size=3, unique=True)):
            made.append(a_rule(trigger, x=x, **(draw(_options()) | {"late": late})))  # noqa: PERF401 - draws come one after the other
    made.append(
        a_rule("account_becomes_delinquent", per=draw(st.sampled_from(("account", "invoice"))), **draw(_options()))
    )
    made.extend(a_rule("usage_reaches_percent", x=x, **draw(_options())) for x in (80, 100))
    made.extend(a_rule(trigger, **draw(_options())) for trigger in EVENTS if draw(st.integers(0, 2)))
    if draw(st.booleans()):
        changed = draw(st.sampled_from(made))
        fields: dict[str, Any] = draw(
            st.sampled_from([{"enabled": False}, {"send_at": "10:00"}, {"x": 2} if changed.x is not None else {}])
        )
        said: dict[str, Any] = {
            "id": changed.id,
            "trigger": changed.trigger,
            "x": changed.x,
            "per": changed.per,
            "late": changed.late,
        }
        said |= {"hours": changed.hours, "cap": changed.cap, "when": changed.when}
        when = draw(instants(zone, around))
        made.append(Rule(**(said | fields), version=2, enabled_at=when))
    return made


@st.composite
def _options(draw: st.DrawFn) -> dict[str, Any]:
    options: dict[str, Any] = {"send_at": draw(st.sampled_from((None, None, *SEND_TIMES)))}
    options["hours"] = draw(st.sampled_from((*[Hours()] * 6, *HOURS)))
    options["cap"] = draw(st.sampled_from((None, None, None, 1, 2)))
    options["when"] = draw(st.sampled_from((*[Filters()] * 6, *FILTERS)))
    options["critical"] = draw(st.sampled_from((False, False, False, False, True)))
    return options | {"late": draw(lates())}


def lates() -> st.SearchStrategy[Late]:
    """What becomes of late moments."""
    policies = st.sampled_from((Late(), Late("latest_only"), Late("latest_only"), Late("skip")))
    return st.builds(
        lambda late, within: replace(late, within=within), policies, st.sampled_from((2 * HOUR, 3 * DAY, 3 * DAY))
    )


@st.composite
def companies(draw: st.DrawFn, zone: str, around: date) -> list[Company]:
    """Two companies, the second elsewhere."""
    other = draw(st.sampled_from([z for z, _ in CHANGES if z != zone]))
    excluded = st.one_of(
        st.integers(0, 6).map(lambda weekday: Exclusion(weekday=weekday)),
        days(around).map(lambda day: Exclusion(day=day.day, month=day.month)),
    )
    exclusions = tuple(draw(st.lists(excluded, max_size=3)))
    sending: dict[str, Any] = {
        "send_at": draw(st.sampled_from((None, *SEND_TIMES))),
        "window": draw(st.sampled_from((None, None, None, (8 * 60, 20 * 60)))),
        "holidays": Holidays(dates=tuple(draw(st.lists(days(around), max_size=2)))),
        "skip_holidays": draw(st.sampled_from((None, None, True))),
    }
    earlier = tuple(
        EarlierZone(draw(st.sampled_from([z for z, _ in CHANGES])), until)
        for until in sorted(draw(st.sets(instants(zone, around), max_size=draw(st.sampled_from((0, 0, 1, 2))))))
    )
    return [
        a_company("acme", time_zone=zone, exclusions=exclusions, earlier=earlier, **sending),
        a_company("beta", time_zone=other),
    ]


@st.composite
def _account(draw: st.DrawFn, account: str, zone: str, around: date) -> dict[str, Any]:
    elsewhere = draw(st.sampled_from([z for z, _ in CHANGES]))
    contacts = [
        {
            "contact_id": name,
            "email": draw(st.sampled_from((f"{name}@x.example", "BOTH@x.example", None))),
            "categories": draw(st.sampled_from((["financial"], ["financial"], ["financial", "general"], None))),
            "email_opt_out": draw(st.sampled_from((None, None, None, False, True))),
        }
        for name in draw(st.lists(st.sampled_from(("ann", "bob", "cyd")), min_size=1, max_size=3, unique=True))
    ]
    delinquency = draw(
        st.sampled_from(
            (
                None,
                None,
                {"check_weekdays": ["mon", "wed", "fri"]},
                {"minimum_amount": {"amount": 6000, "currency": "USD"}},
            )
        )
    )
    grace_until = draw(st.none() | days(around).map(str))
    return {
        "company_id": draw(st.sampled_from((*["acme"] * 6, "beta", "nobody"))),
        "status": {"name": "Active", "activates": draw(st.sampled_from((True, True, False)))},
        "time_zone": draw(st.sampled_from((None, None, zone, elsewhere))),
        "grace_until": grace_until,
        "delinquency": delinquency,
        "contacts": contacts,
        "account": account,
    }


@st.composite
def _invoice(draw: st.DrawFn, account: str, around: date) -> dict[str, Any]:
    status = draw(st.sampled_from(("open", "open", "open", "paid", "void")))
    return {
        "account": account,
        "invoice_id": draw(st.sampled_from(("i1", "i1", "i2", "i3"))),
        "balance": 0 if status == "paid" else draw(st.sampled_from((2000, 5000))),
        "currency": draw(st.sampled_from(("USD", "USD", "EUR"))),
        "due_on": str(draw(days(around))),
        "grace_days": draw(st.integers(0, 3)),
        "status": status,
        "version": draw(st.sampled_from((None, None, None, 1, 2, 3))),
    }


@st.composite
def _other(draw: st.DrawFn, zone: str, around: date) -> tuple[str, dict[str, Any]]:
    """An event of a type that is about neither account nor invoice alone: its type and data."""
    month = days(around, 70).map(lambda day: f"{day:%Y-%m}")
    card = {"card_id": draw(st.sampled_from(("c1", "c2")))}
    stored = {"brand": "visa", "last4": "4242", "expires": draw(month), "autopay": draw(st.booleans())}
    start = draw(instants(zone, around))
    job = {"job_id": draw(st.sampled_from(("j1", "j2")))}
    times = {"starts_at": format_instant(start), "ends_at": format_instant(start + HOUR)}
    technician = {"id": "t1", "name": draw(st.sampled_from(("Tom", "Tim")))}
    contract = {"contract_id": "k1", "contact_id": draw(st.sampled_from(("ann", "nobody")))}
    money = {"amount": 700, "currency": "USD"}
    usage = {"cycle_start": str(draw(days(around, 1))), "cycle_end": "2030-01-01"}
    invoice_id = draw(st.sampled_from(("i1", "i2")))
    receipt = {"receipt_requested": True, "receipt_contact_id": draw(st.sampled_from(("bob", None)))}
    payment = {"payment_id": draw(st.sampled_from(("p1", "p2"))), "method": METHOD, **money}
    types: tuple[tuple[str, dict[str, Any]], ...] = (
        ("billing.card.updated", card | stored),
        ("billing.card.snapshot", card | stored),
        ("billing.card.removed", card),
        ("jobs.job.scheduled", job | times | {"job_type": "install", "technician": technician}),
        ("jobs.job.unscheduled", job),
        ("jobs.contract.sent", contract | {"sign_url": "https://x.example/s"}),
        ("billing.contract.signed_copy_sent", contract),
        ("billing.late_fee.applied", {"invoice_id": invoice_id, "automatic": draw(st.booleans()), **money}),
        ("billing.invoice.emailed", {"invoice_id": invoice_id, "contact_id": "ann"}),
        ("billing.run.completed", {"run_id": "r1", "billed_on": str(around), "invoice_id": invoice_id}),
        ("billing.usage.recorded", {"policy_id": "u", "used_bytes": 90, "cap_bytes": 100, **usage}),
        ("billing.usage.recorded", {"policy_id": "u", "used_bytes": 130, "cap_bytes": 100, **usage}),
        ("billing.payment.succeeded", payment | receipt | {"autopay": draw(st.booleans())}),
        ("billing.payment.refunded", payment | {"refund_id": "f1"}),
        ("portal.contact.password_changed", {"contact_id": draw(st.sampled_from(("ann", "cyd")))}),
        ("portal.account.address_changed", {"kind": "mailing", "old": "A", "new": draw(st.sampled_from("aB"))}),
    )
    chosen: tuple[str, dict[str, Any]] = draw(st.sampled_from(types))
    return chosen


@st.composite
def users(draw: st.DrawFn, zone: str, around: date) -> list[tuple[Instant, Event]]:
    """A login's events, with the instants at which they get into the log."""
    found = []
    for number in range(draw(st.integers(0, 3))):
        time = draw(instants(zone, around))
        company = draw(st.sampled_from(("acme", "beta")))
        user = {"user_id": "a1", "name": "U", "email": "u@x.example", "language": "en", "company_id": company}
        link = draw(st.sampled_from(("set_password_url", "reset_url")))
        type_ = "portal.user.created" if link == "set_password_url" else "portal.user.password_reset_requested"
        expires_at = format_instant(time + draw(st.sampled_from((HOUR, DAY))))
        event = an_event(
            type_, time, id_=f"u-{number}", user=user, expires_at=expires_at, **{link: "https://x.example"}
        )
        found.append((time + draw(st.sampled_from(LAGS)), event))
    return found


@st.composite
def _one(draw: st.DrawFn, account: str, zone: str, around: date, number: int) -> tuple[Instant, Event]:
    time = draw(instants(zone, around))
    made: dict[str, Any] = {"id_": f"{account}-{number}"}
    match draw(st.sampled_from(("invoice",) * 8 + ("account",) * 3 + ("payment", "preferences") + ("other",) * 8)):
        case "invoice":
            kind = draw(st.sampled_from(("issued", "issued", "updated", "updated", "snapshot")))
            event = invoice_event(time, kind=kind, **draw(_invoice(account, around)), **made)
        case "account":
            kind = draw(st.sampled_from(("updated", "updated", "snapshot")))
            event = account_event(time, kind=kind, **draw(_account(account, zone, around)), **made)
        case "payment":
            number_of_payment = draw(st.sampled_from(("p1", "p2")))
            event = a_payment(time, account=account, payment_id=number_of_payment, **made)
        case "preferences":
            said: dict[str, Any] = {
                "contact_id": draw(st.sampled_from(("ann", "bob"))),
                "email_opt_out": draw(st.sampled_from((None, True, False))),
            }
            event = an_event("portal.contact.preferences_changed", time, account=account, **made, **said)
        case _:
            type_, data = draw(_other(zone, around))
            event = an_event(type_, time, account=account, **made, **data)
    return time, event


@st.composite
def courses(draw: st.DrawFn, account: str, zone: str, around: date, most: int = 8) -> list[tuple[Instant, Event]]:
    """One account's events with the instants at which they get into the log: some lag, some come twice."""
    found = []
    if draw(st.sampled_from((True, True, True, True, False))):
        begun = draw(instants(zone, around, before=8, after=-3))
        known = draw(_account(account, zone, around))
        found.append((begun, account_event(begun, **known, id_=f"{account}-first")))
    for number in range(draw(st.integers(1, most))):
        time, event = draw(_one(account, zone, around, number))
        found.append((time + draw(st.sampled_from(LAGS)), event))
    if draw(st.booleans()):
        when, event = draw(st.sampled_from(found))
        found.append((when + draw(st.sampled_from(LAGS)), event))
    return found


@st.composite
def spans(draw: st.DrawFn, zone: str, around: date, most_pauses: int = 2) -> Span:
    """Some days around the day, with pauses."""
    begin = draw(instants(zone, around, before=3, after=-1))
    until = draw(instants(zone, around, before=-1, after=3))
    edges = sorted(set(draw(st.lists(instants(zone, around), max_size=2 * most_pauses, unique=True))))
    pauses = tuple(Pause(one, other) for one, other in zip(edges[::2], edges[1::2], strict=False))
    return Span(begin, until, pauses)


@st.composite
def histories(
    draw: st.DrawFn, *, accounts: int = 2, most: int = 8, most_pauses: int = 2, where: tuple[str, date] | None = None
) -> History:
    """A history of some accounts."""
    zone, around = where or draw(zones())
    logged: list[tuple[Instant, Event]] = []
    for number in range(1, draw(st.integers(1, accounts)) + 1):
        logged += draw(courses(f"a{number}", zone, around, most))
    logged += draw(users(zone, around))
    logged.sort(key=lambda each: each[0])
    return History(
        [event for _, event in logged],
        draw(rules(zone, around)),
        draw(companies(zone, around)),
        draw(spans(zone, around, most_pauses)),
        zone,
    )
