"""How a customer pays: by hand or by card, with receipts, failures and refunds."""

from datetime import date, datetime, timedelta
from typing import Any, Final

from app.dev.customers.customer import Customer, instant
from app.dev.customers.invoice import Bill, tell
from app.dev.customers.people import payer

ATTEMPTS: Final = 3
FAILURES: Final = ("card_declined", "insufficient_funds", "expired_card")


def pay(one: Customer, bill: Bill, at: datetime, amount: int) -> None:
    """Pay so much of the invoice; who pays by hand may ask for a receipt, and now and then some of it is given back."""
    paid = _payment(one, bill, amount)
    one.say("billing.payment.succeeded", at, paid | _receipt(one) | {"invoice_ids": [bill.id]})
    bill.balance -= amount
    bill.status = "open" if bill.balance else "paid"
    tell(one, "updated", bill, at + timedelta(seconds=2))
    if one.chance(0.05):
        _refund(one, paid, at + timedelta(hours=one.dice.randrange(20, 90)))


def pay_by_card(one: Customer, bill: Bill) -> None:
    """Have the card charged on the due day, and after failures again every three days."""
    day, attempt = bill.due, 1
    while attempt <= ATTEMPTS and one.chance(0.2):
        retry = day + timedelta(days=3) if attempt < ATTEMPTS else None
        _fail(one, bill, day, attempt, retry)
        day, attempt = day + timedelta(days=3), attempt + 1
    if attempt <= ATTEMPTS:
        pay(one, bill, _charged(one, day), bill.balance)


def _fail(one: Customer, bill: Bill, day: date, attempt: int, retry: date | None) -> None:
    failed = {
        "attempt": attempt,
        "reason": one.dice.choice(FAILURES),
        "retry_on": str(retry) if retry else None,
    }
    one.say("billing.payment.failed", _charged(one, day), _payment(one, bill, bill.balance) | failed)


def _charged(one: Customer, day: date) -> datetime:
    return instant(day, 10 * 3600 + one.dice.randrange(3600))


def _payment(one: Customer, bill: Bill, amount: int) -> dict[str, Any]:
    return {
        "payment_id": f"{bill.id}-p{bill.version}",
        "amount": amount,
        "currency": one.currency,
        "method": one.method,
        "autopay": one.autopay,
    }


def _receipt(one: Customer) -> dict[str, Any]:
    if one.autopay or not one.chance(0.3):
        return {}
    wanted = {"receipt_requested": True}
    return wanted | {"receipt_contact_id": payer(one)["contact_id"]} if one.chance(0.6) else wanted


def _refund(one: Customer, paid: dict[str, Any], at: datetime) -> None:
    part = paid["amount"] // one.dice.choice((1, 2, 4))
    said = {name: paid[name] for name in ("payment_id", "currency", "method")}
    one.say("billing.payment.refunded", at, said | {"refund_id": f"{paid['payment_id']}-r1", "amount": part})
