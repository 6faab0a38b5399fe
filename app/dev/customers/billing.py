"""A customer's invoices: each month one, settled by habit, with fees where that takes long."""

from datetime import date, timedelta
from typing import Final

from app.dev.customers.customer import Customer, instant
from app.dev.customers.invoice import Bill, new_bill, tell
from app.dev.customers.payments import pay, pay_by_card
from app.dev.customers.people import payer

MONTHS: Final = 3
HABITS: Final = {"on time": 50, "late": 25, "in part": 10, "disputes": 3, "never": 12}
FEE: Final = 500
FEE_AFTER: Final = 10
"""Days after its due date on which an invoice that is not paid costs a fee."""


def bill_monthly(one: Customer) -> None:
    """Bill what an earlier system has left open, then every month."""
    if one.imported and one.chance(0.7):
        _bring_along(one)
    first = one.joined.date() + timedelta(days=one.dice.randrange(1, 20))
    for month in range(MONTHS):
        _bill(one, first + timedelta(days=30 * month), f"i{month + 1}")


def _bring_along(one: Customer) -> None:
    issued = one.begin - timedelta(days=one.dice.randrange(3, 45))
    bill = new_bill(one, issued, "i0")
    tell(one, "snapshot", bill, one.joined - timedelta(hours=10))
    if one.chance(0.6):
        paid = one.begin + timedelta(days=one.dice.randrange(1, 25))
        pay(one, bill, one.some_time(paid), bill.balance)


def _bill(one: Customer, issued: date, id_: str) -> None:
    bill = new_bill(one, issued, id_)
    # The nightly run takes its time: accounts follow each other within the hour.
    at = instant(issued, 5 * 3600 + one.dice.randrange(3600))
    tell(one, "issued", bill, at)
    run = {"run_id": f"run-{issued}", "billed_on": str(issued), "invoice_id": bill.id, "total": bill.total}
    one.say("billing.run.completed", at + timedelta(minutes=5), run)
    if one.chance(0.05):
        asked = one.some_time(issued + timedelta(days=2), 13, 20)
        sent = {"invoice_id": bill.id, "contact_id": payer(one)["contact_id"], "by": "Robin, front desk"}
        one.say("billing.invoice.emailed", asked, sent)
    if one.autopay:
        pay_by_card(one, bill)
    else:
        _settle(one, bill)


def _settle(one: Customer, bill: Bill) -> None:
    habit = one.dice.choices(tuple(HABITS), tuple(HABITS.values()))[0]
    if habit == "on time":
        _pay_rest(one, bill, -one.dice.randrange(9))
    elif habit == "late":
        _pay_rest(one, bill, one.dice.randrange(1, 24))
    elif habit == "in part":
        pay(one, bill, one.some_time(bill.due - timedelta(days=2)), bill.balance // 2)
        _pay_rest(one, bill, one.dice.randrange(2, 20) if one.chance(0.5) else None)
    elif habit == "disputes":
        bill.status = "void"
        tell(one, "updated", bill, one.some_time(bill.due + timedelta(days=one.dice.randrange(-5, 10))))
    else:
        _pay_rest(one, bill, None)


def _pay_rest(one: Customer, bill: Bill, days: int | None) -> None:
    """Pay what is open so many days after the due date, None never; first comes the fee, if it takes that long."""
    if (days is None or days > FEE_AFTER) and one.chance(0.7):
        _charge_fee(one, bill)
    if days is not None:
        pay(one, bill, one.some_time(bill.due + timedelta(days=days)), bill.balance)


def _charge_fee(one: Customer, bill: Bill) -> None:
    """Charge it as the rule has it, or by hand, which nobody is written to about."""
    at = instant(bill.due + timedelta(days=FEE_AFTER), 5 * 3600 + one.dice.randrange(3600))
    fee = {"invoice_id": bill.id, "amount": FEE, "currency": one.currency, "automatic": not one.chance(0.15)}
    one.say("billing.late_fee.applied", at, fee)
    bill.total, bill.balance = bill.total + FEE, bill.balance + FEE
    tell(one, "updated", bill, at + timedelta(seconds=2))
