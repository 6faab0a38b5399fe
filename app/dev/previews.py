"""Every message as it looks, from made-up notifications: for whoever writes templates, and for the tests."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from app.delivery.render import Renderer
from app.engine.outbox import Notification, SendingCompany
from app.triggers import REGISTRY

COMPANY = SendingCompany(
    id="acme",
    name="Acme Fiber",
    from_name="Acme Fiber Billing",
    from_address="billing@acme.example",
    reply_to="help@acme.example",
)

_USD = "USD"
_ACCOUNT: dict[str, Any] = {"account_name": "Miller Family", "account_number": "A-1042"}
_INVOICE: dict[str, Any] = _ACCOUNT | {
    "invoice_number": "INV-20418",
    "invoice_total": {"amount": 8450, "currency": _USD},
    "invoice_balance": {"amount": 8450, "currency": _USD},
    "issued_on": dt.date(2026, 6, 1),
    "due_on": dt.date(2026, 6, 15),
    "view_url": "https://my.acme.example/invoices/20418",
    "pdf_url": "https://my.acme.example/invoices/20418.pdf",
    "auto_pay_on": None,
}
_PART_PAID = _INVOICE | {"invoice_balance": {"amount": 3450, "currency": _USD}}
_METHOD = {"kind": "card", "last4": "4242", "brand": "visa"}

VARIABLES: dict[str, dict[str, Any]] = {
    "initial_invoice": _INVOICE | {"auto_pay_on": dt.date(2026, 6, 12)},
    "invoice_due_in_days": _INVOICE | {"days": 3},
    "invoice_past_due_for_days": _PART_PAID | {"days": 7},
    "invoice_becomes_delinquent_in_days": _PART_PAID | {"days": 2, "delinquent_on": dt.date(2026, 6, 30)},
    "invoice_delinquent_for_days": _PART_PAID | {"days": 5, "delinquent_since": dt.date(2026, 6, 30)},
    "account_becomes_delinquent": _ACCOUNT
    | {
        "delinquent_since": dt.date(2026, 6, 30),
        "open_total": {"amount": 16900, "currency": _USD},
        "invoices": [
            {
                "invoice_number": f"INV-{number}",
                "balance": {"amount": 8450, "currency": _USD},
                "due_on": dt.date(2026, month, 15),
                "view_url": f"https://my.acme.example/invoices/{number}",
            }
            for number, month in ((20077, 5), (20418, 6))
        ],
    },
    "payment_failed": _ACCOUNT
    | {
        "amount": {"amount": 8450, "currency": _USD},
        "method": _METHOD,
        "attempt": 1,
        "reason": "insufficient_funds",
        "retry_on": dt.date(2026, 6, 18),
    },
    "payment_succeeded": _ACCOUNT
    | {"amount": {"amount": 8450, "currency": _USD}, "method": _METHOD, "invoice_ids": ["inv-20418"]},
}


def a_notification(trigger: str = "invoice_due_in_days", *, number: int = 1, **changes: Any) -> Notification:
    """Return a made-up notification of `trigger`; two of different `number` have different dedup keys."""
    variables = VARIABLES.get(trigger, {}) | changes.pop("variables", {})
    values: dict[str, Any] = {
        "dedup_key": f"{trigger}|a1042|invoice:{number}|c1|email",
        "rule": trigger,
        "version": 1,
        "trigger": trigger,
        "template": trigger,
        "account_id": "a1042",
        "subject": f"invoice:{number}",
        "recipient": "c1",
        "address": "ann.miller@mail.example",
        "name": "Ann Miller",
        "language": "en",
        "locale": "en_US",
        "time_zone": "America/Chicago",
        "company": COMPANY,
        "variables": msgspec.Raw(msgspec.json.encode(variables)),
        "moment": "2026-06-12T14:00:00Z",
        "decided_at": "2026-06-12T14:00:04Z",
        "checked_at": "2026-06-12T14:00:04Z",
    }
    return Notification(**(values | changes))


def write(directory: Path, renderer: Renderer) -> Iterator[Path]:
    """Write TRIGGER.html and TRIGGER.txt for each trigger into `directory`; yield the HTML files."""
    for trigger, what in REGISTRY.items():
        rendered = renderer.render(a_notification(trigger), what.variables)
        (directory / f"{trigger}.txt").write_text(f"{rendered.subject}\n\n{rendered.text}", encoding="utf-8")
        page = directory / f"{trigger}.html"
        page.write_text(rendered.html, encoding="utf-8")
        yield page
