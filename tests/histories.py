"""Hypothesis strategies of whole histories: facts in log order, rules, companies, and the span they are played over.

Everything happens within a few days around one change of some zone's clocks, at instants that matter: midnights, send
times, and a little before and after.
"""

import json
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from app.contract.instants import DAY, HOUR, MINUTE, SECOND, Instant
from app.domain.calendar import first_instant
from app.domain.companies import Company, Exclusion
from app.domain.rules import Late, Rule, Rulebook
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
    """Rules of all triggers, some of them with two versions."""
    made = []
    for trigger, least in (
        ("invoice_due_in_days", 0),
        ("invoice_past_due_for_days", 1),
        ("invoice_becomes_delinquent_in_days", 1),
        ("invoice_delinquent_for_days", 1),
    ):
        for x in draw(st.lists(st.integers(least, 3), min_size=1, max_size=3, unique=True)):
            made.append(a_rule(trigger, x=x, **draw(_options())))  # noqa: PERF401 - draws come one after the other
    made.append(
        a_rule("account_becomes_delinquent", per=draw(st.sampled_from(("account", "invoice"))), **draw(_options()))
    )
    made.extend(a_rule(trigger, **draw(_options())) for trigger in ("initial_invoice", "payment_failed"))
    if draw(st.booleans()):
        changed = draw(st.sampled_from(made))
        fields: dict[str, Any] = draw(
            st.sampled_from([{"enabled": False}, {"send_at": "10:00"}, {"x": 2} if changed.x is not None else {}])
        )
        said = {"id": changed.id, "trigger": changed.trigger, "x": changed.x, "per": changed.per, "late": changed.late}
        when = draw(instants(zone, around))
        made.append(Rule(**(said | fields), version=2, enabled_at=when))
    return made


@st.composite
def _options(draw: st.DrawFn) -> dict[str, Any]:
    options: dict[str, Any] = {"send_at": draw(st.sampled_from((None, None, *SEND_TIMES)))}
    late = draw(st.sampled_from((Late(), Late("latest_only"), Late("latest_only"), Late("skip"))))
    return options | {"late": replace(late, within=draw(st.sampled_from((2 * HOUR, 3 * DAY, 3 * DAY))))}


@st.composite
def companies(draw: st.DrawFn, zone: str, around: date) -> list[Company]:
    """Two companies, the second elsewhere."""
    other = draw(st.sampled_from([z for z, _ in CHANGES if z != zone]))
    excluded = st.one_of(
        st.integers(0, 6).map(lambda weekday: Exclusion(weekday=weekday)),
        days(around).map(lambda day: Exclusion(day=day.day, month=day.month)),
    )
    exclusions = tuple(draw(st.lists(excluded, max_size=3)))
    send_at = draw(st.sampled_from((None, *SEND_TIMES)))
    return [
        a_company("acme", time_zone=zone, exclusions=exclusions, send_at=send_at),
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
        "company_id": draw(st.sampled_from(("acme", "acme", "acme", "beta"))),
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
def _one(draw: st.DrawFn, account: str, zone: str, around: date, number: int) -> tuple[Instant, Event]:
    time = draw(instants(zone, around))
    made: dict[str, Any] = {"id_": f"{account}-{number}"}
    match draw(st.sampled_from(("invoice",) * 8 + ("account",) * 3 + ("payment", "preferences"))):
        case "invoice":
            kind = draw(st.sampled_from(("issued", "issued", "updated", "updated", "snapshot")))
            event = invoice_event(time, kind=kind, **draw(_invoice(account, around)), **made)
        case "account":
            kind = draw(st.sampled_from(("updated", "updated", "snapshot")))
            event = account_event(time, kind=kind, **draw(_account(account, zone, around)), **made)
        case "payment":
            number_of_payment = draw(st.sampled_from(("p1", "p2")))
            event = a_payment(time, account=account, payment_id=number_of_payment, **made)
        case _:
            said: dict[str, Any] = {
                "contact_id": draw(st.sampled_from(("ann", "bob"))),
                "email_opt_out": draw(st.sampled_from((None, True, False))),
            }
            event = an_event("portal.contact.preferences_changed", time, account=account, **made, **said)
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
    logged.sort(key=lambda each: each[0])
    return History(
        [event for _, event in logged],
        draw(rules(zone, around)),
        draw(companies(zone, around)),
        draw(spans(zone, around, most_pauses)),
        zone,
    )
