"""A customer's invoice as it stands, and how it is told of."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from app.dev.customers.customer import Customer

PLANS: Final = (4_999, 5_999, 7_900, 8_999, 12_900)


@dataclass
class Bill:
    """An invoice as it stands."""

    id: str
    number: str
    issued: date
    due: date
    total: int
    grace: int
    auto_pay_on: date | None
    origin: str
    balance: int = 0
    status: str = "open"
    version: int = 0


def new_bill(one: Customer, issued: date, id_: str, origin: str = "billing_run") -> Bill:
    """Return an invoice that nobody has been told of yet, due in two weeks."""
    total = one.dice.choice(PLANS) + (one.dice.randrange(100, 2_500) if one.chance(0.3) else 0)
    due = issued + timedelta(days=14)
    number = f"{issued:%Y%m}-{one.id[1:]}"
    auto = due if one.autopay else None
    grace = one.dice.choice((0, 3, 5))
    return Bill(f"{one.id}-{id_}", number, issued, due, total, grace, auto, origin, balance=total)


def tell(one: Customer, what: str, bill: Bill, at: datetime) -> None:
    """Say all of the invoice: `issued`, `updated`, or in a `snapshot`."""
    bill.version += 1
    data = {
        "invoice_id": bill.id,
        "account_id": one.id,
        "number": bill.number,
        "currency": one.currency,
        "total": bill.total,
        "balance": bill.balance,
        "issued_on": str(bill.issued),
        "due_on": str(bill.due),
        "grace_days": bill.grace,
        "status": bill.status,
        "auto_pay_on": str(bill.auto_pay_on) if bill.auto_pay_on else None,
        "origin": bill.origin,
        "view_url": f"https://portal.{one.company}.example/invoices/{bill.id}",
        "version": bill.version,
    }
    one.say(f"billing.invoice.{what}", at, data)
