"""Every message as it looks, from made-up notifications: for whoever writes templates, and for the tests.

`python -m app.dev.previews DIRECTORY` writes them there in each language, with pictures by Chromium.
"""

import asyncio
import datetime as dt
import html
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from app.delivery.check import sample_values
from app.delivery.render import Renderer
from app.dev.pictures import camera
from app.engine.outbox import Notification, SendingCompany
from app.triggers import REGISTRY

LANGUAGES: Final = ("en", "es")
WIDTHS: Final = {"desktop": 800, "phone": 375}
"""Of the pictures, in CSS pixels."""
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
_PAYMENT = _ACCOUNT | {
    "amount": {"amount": 8450, "currency": _USD},
    "method": _METHOD,
    "invoice_ids": ["inv-20418"],
}
_SUMMARY: dict[str, Any] = {
    "invoice_number": "INV-20418",
    "total": {"amount": 8450, "currency": _USD},
    "due_on": dt.date(2026, 6, 15),
    "view_url": "https://my.acme.example/invoices/20418",
    "pdf_url": "https://my.acme.example/invoices/20418.pdf",
}

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
    "payment_succeeded": _PAYMENT,
    "payment_receipt": _PAYMENT,
    "payment_refunded": _ACCOUNT | {"amount": {"amount": 2000, "currency": _USD}, "method": _METHOD},
    "late_fee_applied": _ACCOUNT | {"fee": {"amount": 500, "currency": _USD}, "invoice_number": "INV-20418"},
    "invoice_emailed": _ACCOUNT | {"invoice": _SUMMARY},
    "billing_run_succeeded": _ACCOUNT
    | {"billed_on": dt.date(2026, 6, 1), "total": _SUMMARY["total"], "invoice": _SUMMARY},
    "credit_card_expiring": _ACCOUNT
    | {"brand": "visa", "last4": "4242", "expires_on": dt.date(2026, 7, 31), "months": 2},
    "usage_reaches_percent": _ACCOUNT
    | {
        "percent": 80,
        "used_bytes": 1_012_400_000_000,
        "cap_bytes": 1_250_000_000_000,
        "cycle_start": dt.date(2026, 6, 1),
        "cycle_end": dt.date(2026, 6, 30),
    },
    "job_scheduled": _ACCOUNT
    | {
        "job_type": "fiber installation",
        "starts_at": dt.datetime(2026, 6, 16, 14, tzinfo=dt.UTC),
        "ends_at": dt.datetime(2026, 6, 16, 16, tzinfo=dt.UTC),
        "technician": "Sam Rivera",
    },
    "contract_pending_signature": _ACCOUNT
    | {
        "sign_url": "https://my.acme.example/sign/8c1f2e7ab0",
        "custom_message": "It was good to talk to you today.\nThe second page has the price that we agreed on.",
    },
    "contract_signed_copy": _ACCOUNT | {"copy_url": "https://my.acme.example/contracts/77.pdf?key=8c1f2e7ab0"},
    "account_first_activated": _ACCOUNT,
    "account_address_changed": _ACCOUNT | {"kind": "mailing"},
    "contact_password_changed": _ACCOUNT | {"via": "portal"},
    "user_created": {
        "set_password_url": "https://my.acme.example/welcome?token=5ff0c3b7e0d94b0b8d2f6a1c7e9b3d42",
        "expires_at": dt.datetime(2026, 6, 15, 14, tzinfo=dt.UTC),
    },
    "user_forgot_password": {
        "reset_url": "https://my.acme.example/reset?token=b0b8d2f6a1c7e9b3d425ff0c3b7e0d94",
        "expires_at": dt.datetime(2026, 6, 12, 16, tzinfo=dt.UTC),
    },
}
"""By trigger; of one that is not here, samples by type are made up."""


def a_notification(trigger: str = "invoice_due_in_days", *, number: int = 1, **changes: Any) -> Notification:
    """Return a made-up notification of `trigger`; two of different `number` have different dedup keys."""
    variables = VARIABLES.get(trigger, {}) | changes.pop("variables", {})
    if trigger not in VARIABLES and trigger in REGISTRY:
        variables = sample_values(REGISTRY[trigger].variables) | variables
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


def write(directory: Path, renderer: Renderer, language: str = "en") -> Iterator[Path]:
    """Write TRIGGER.html and TRIGGER.txt for each trigger into `directory`; yield the HTML files."""
    for trigger, what in REGISTRY.items():
        rendered = renderer.render(a_notification(trigger, language=language), what.variables)
        (directory / f"{trigger}.txt").write_text(f"{rendered.subject}\n\n{rendered.text}", encoding="utf-8")
        page = directory / f"{trigger}.html"
        page.write_text(rendered.html, encoding="utf-8")
        yield page


async def photograph(pages: Sequence[Path]) -> None:
    """Write a picture beside each page for each of WIDTHS, and say which page is too wide for its screen."""
    async with camera() as taking:
        for page in pages:
            for screen, width in WIDTHS.items():
                picture = await taking.take(page.absolute().as_uri(), width)
                page.with_name(f"{page.stem}-{screen}.png").write_bytes(picture.png)
                if picture.overflow:
                    print(f"{page}: {picture.overflow} px wider than a {screen}")  # noqa: T201 - a command


def main(directory: Path) -> None:
    """Write every message in each language, its pictures, and index.html, which shows them all."""
    renderer, pages = Renderer(), list[Path]()
    for language in LANGUAGES:
        folder = directory / language
        folder.mkdir(parents=True, exist_ok=True)
        pages += write(folder, renderer, language)
    asyncio.run(photograph(pages))
    index = directory / "index.html"
    index.write_text(_index([page.relative_to(directory) for page in pages]), encoding="utf-8")
    print(f"{len(pages)} messages, {len(pages) * len(WIDTHS)} pictures: {index}")  # noqa: T201 - a command


def _index(pages: Sequence[Path]) -> str:
    shown = (
        f'<h2><a href="{page}">{html.escape(f"{page.parent} {page.stem}")}</a></h2>'
        + "".join(f'<img loading="lazy" src="{page.with_suffix("")}-{screen}.png"> ' for screen in WIDTHS)
        for page in pages
    )
    return f'<!DOCTYPE html><meta charset="utf-8"><title>Whimbrel: every message</title>{"".join(shown)}'


if __name__ == "__main__":
    if len(sys.argv) != len(("program", "directory")):
        sys.exit("usage: python -m app.dev.previews DIRECTORY")
    main(Path(sys.argv[1]))
