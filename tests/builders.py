"""Builders with defaults and overrides: a test names only what its fact depends on."""

import json
from collections.abc import Sequence
from datetime import date
from itertools import count
from typing import Any, TypeAlias

from app.contract.codec import Fact, decode
from app.contract.instants import Instant, format_instant, parse_instant
from app.domain.account import Account, Contact, Details
from app.domain.book import Book
from app.domain.calendar import LocalClock
from app.domain.companies import Company
from app.domain.delinquency import filed
from app.domain.invoice import Invoice
from app.domain.occasion import Occasion
from app.domain.rules import Rule, Rulebook
from app.engine.writing import as_line
from app.simulate.run import Breach, Pause, Span, simulate

Event: TypeAlias = dict[str, Any]
Line: TypeAlias = dict[str, Any]

NEW_YORK = "America/New_York"
_numbers = count(1)


def at(text: str) -> Instant:
    """The instant written in RFC 3339, or with `2026-06-10 09:00` the one at which New York shows that in summer."""
    return parse_instant(text if "T" in text else f"{text.replace(' ', 'T')}:00-04:00")


def a_company(company_id: str = "acme", **fields: Any) -> Company:
    """A company in New York, without exclusions."""
    said = {
        "name": "Acme Fiber",
        "from_name": "Acme Billing",
        "from_address": f"billing@{company_id}.example",
        "time_zone": NEW_YORK,
    }
    return Company(id=company_id, **(said | fields))


def a_rule(trigger: str = "invoice_past_due_for_days", /, rule_id: str | None = None, **fields: Any) -> Rule:
    """A rule, named after its trigger and X unless said otherwise."""
    x = fields.get("x")
    return Rule(id=rule_id or (trigger if x is None else f"{trigger}-{x}"), trigger=trigger, **fields)


def a_rulebook(*rules: Rule, companies: Sequence[Company] | None = None) -> Rulebook:
    """A configuration of these rules; one company unless said otherwise."""
    return Rulebook(rules, {company.id: company for company in companies or [a_company()]})


def a_contact(contact_id: str = "fin", **fields: Any) -> Contact:
    """A contact that gets what is financial."""
    said: dict[str, Any] = {"email": f"{contact_id}@a1.example", "categories": ("financial",)}
    return Contact(contact_id, **(said | fields))


def some_details(**fields: Any) -> Details:
    """What an account's last whole event said."""
    said: dict[str, Any] = {"company_id": "acme", "name": "Ann", "status": "Active", "contacts": (a_contact(),)}
    return Details(**(said | fields))


def an_account(account_id: str = "a1", *, zone: str = NEW_YORK, **fields: Any) -> Account:
    """A known, activated account whose clock stands at the beginning of 1 June 2026."""
    said: dict[str, Any] = {
        "details": some_details(),
        "clock": LocalClock(zone),
        "done": at("2026-06-01 00:00"),
        "activated": "updated",
    }
    return Account(account_id, **(said | fields))


def an_invoice(invoice_id: str = "i1", **fields: Any) -> Invoice:
    """An open invoice of 50 dollars, due on 10 June 2026 with 5 days of grace."""
    said: dict[str, Any] = {
        "number": invoice_id.upper(),
        "currency": "USD",
        "total": 5000,
        "balance": 5000,
        "issued_on": date(2026, 5, 20),
        "due_on": date(2026, 6, 10),
        "grace_days": 5,
    }
    return Invoice(invoice_id, **(said | fields))


def a_book(*invoices: Invoice, account: Account | None = None) -> Book:
    """An account's book, as the due index would find it."""
    account = account or an_account()
    book = Book(account, {invoice.invoice_id: invoice for invoice in invoices})
    return filed(book, account.clock.day(account.done)) if account.clock else book


def an_occasion(rule: Rule, subject: str = "s", **fields: Any) -> Occasion:
    """The rule's trigger at 10 June 2026, 09:00 in New York."""
    said: dict[str, Any] = {"moment": at("2026-06-10 09:00")}
    return Occasion(
        rule=rule.id, version=rule.version, trigger=rule.trigger, x=rule.x, subject=subject, **(said | fields)
    )


def an_event(type_: str, time: Instant | str, /, *, account: str = "a1", id_: str | None = None, **data: Any) -> Event:
    """A CloudEvent as upstream publishes it; `time` as `at` reads it."""
    instant = at(time) if isinstance(time, str) else time
    return {
        "specversion": "1.0",
        "id": id_ or f"e{next(_numbers)}",
        "source": "billing",
        "type": type_,
        "subject": account,
        "time": format_instant(instant),
        "data": data,
    }


def account_event(time: Instant | str, /, *, account: str = "a1", kind: str = "updated", **data: Any) -> Event:
    """A whole account: active, one financial contact."""
    said: dict[str, Any] = {
        "account_id": account,
        "company_id": "acme",
        "name": "Ann",
        "status": {"name": "Active", "activates": True},
        "contacts": [{"contact_id": "fin", "name": "Fin", "email": "fin@a1.example", "categories": ["financial"]}],
    }
    event_id = data.pop("id_", None)
    return an_event(f"billing.account.{kind}", time, account=account, id_=event_id, **(said | data))


def invoice_event(time: Instant | str, /, *, account: str = "a1", kind: str = "issued", **data: Any) -> Event:
    """A whole invoice: open, 50 dollars, due on 10 June 2026 with 5 days of grace."""
    said: dict[str, Any] = {
        "invoice_id": "i1",
        "account_id": account,
        "number": "I1",
        "currency": "USD",
        "total": 5000,
        "balance": 5000,
        "issued_on": "2026-05-20",
        "due_on": "2026-06-10",
        "grace_days": 5,
    }
    event_id = data.pop("id_", None)
    return an_event(f"billing.invoice.{kind}", time, account=account, id_=event_id, **(said | data))


def paid(time: Instant | str, /, **data: Any) -> Event:
    """The invoice is paid in full."""
    said: dict[str, Any] = {"status": "paid", "balance": 0}
    return invoice_event(time, kind="updated", **(said | data))


def a_payment(time: Instant | str, outcome: str = "failed", /, *, account: str = "a1", **data: Any) -> Event:
    """An autopay payment of 50 dollars; `outcome` is failed or succeeded."""
    said: dict[str, Any] = {
        "payment_id": "p1",
        "amount": 5000,
        "currency": "USD",
        "method": {"kind": "card", "last4": "4242", "brand": "visa"},
        "autopay": True,
    }
    if outcome == "failed":
        said |= {"attempt": 1, "reason": "declined"}
    event_id = data.pop("id_", None)
    return an_event(f"billing.payment.{outcome}", time, account=account, id_=event_id, **(said | data))


def written(event: Event) -> bytes:
    """The event as it stands in a record's value, or in a line of a file."""
    return json.dumps(event).encode()


def a_fact(event: Event) -> Fact:
    """The event as the heart reads it."""
    return decode(written(event), None, keyed=False)


def a_span(begin: str = "2026-06-01 00:00", until: str = "2026-07-15 00:00", *pauses: tuple[str, str]) -> Span:
    """Six weeks from 1 June 2026 unless said otherwise; pauses as (from, to)."""
    return Span(at(begin), at(until), tuple(Pause(at(one), at(other)) for one, other in pauses))


def simulated(events: Sequence[Event], rulebook: Rulebook, span: Span | None = None) -> tuple[list[Line], list[Breach]]:
    """What `simulate` writes and what it complains of."""
    decisions, breaches = simulate(map(written, events), rulebook, span or a_span())
    return [as_line(decision) for decision in decisions], list(breaches)


def in_brief(lines: Sequence[Line]) -> list[str]:
    """Decisions as `rule subject moment outcome(reason)`, moments in New York's summer time, in order of moment."""
    ordered = sorted(lines, key=lambda line: (line["moment"], line["rule"], line["subject"]))
    return [
        f"{line['rule']} {line['subject']} {_summer(line['moment'])} {line['outcome']}"
        + (f"({line['reason']})" if line["reason"] else "")
        for line in ordered
    ]


def _summer(moment: str) -> str:
    shown = format_instant(parse_instant(moment) - 4 * 3_600_000_000)
    return f"{shown[5:10]} {shown[11:-1].removesuffix(':00')}"
