"""How a customer comes: imported from an earlier system, or signing up in the first month."""

from datetime import datetime, timedelta

from app.dev.customers.customer import Customer, instant
from app.dev.customers.jobs import install
from app.dev.customers.people import payer


def arrive(one: Customer) -> None:
    """Come by an import or by signing up."""
    if one.chance(0.6):
        one.imported = True
        one.joined = instant(one.begin)
        imported_at = one.joined - timedelta(hours=12) + timedelta(seconds=one.dice.randrange(3600))
        one.say("billing.account.snapshot", imported_at, one.data)
    else:
        _sign_up(one)


def _sign_up(one: Customer) -> None:
    """Sign up, and be activated at once or after the installation."""
    at = one.some_time(one.begin + timedelta(days=one.dice.randrange(30)))
    if one.chance(0.6):
        _send_contract(one, at)
    active_at = at
    if one.chance(0.5):
        one.say("billing.account.updated", at, one.data | {"status": {"name": "Pending", "activates": False}})
        active_at = install(one, at + timedelta(hours=1))
    one.say("billing.account.updated", active_at, one.data)
    one.joined = active_at


def _send_contract(one: Customer, at: datetime) -> None:
    """Have the contract signed. Now and then it goes out before the account is told of."""
    sent = at + timedelta(minutes=-40 if one.chance(0.2) else 5)
    contract = {"contract_id": f"{one.id}-k1", "contact_id": payer(one)["contact_id"]}
    portal = f"https://portal.{one.company}.example/contracts/{one.id}-k1"
    one.say("billing.contract.sent", sent, contract | {"sign_url": f"{portal}/sign", "cause": "manual"})
    if one.chance(0.8):
        signed = at + timedelta(hours=one.dice.randrange(1, 40))
        one.say("billing.contract.signed_copy_sent", signed, contract | {"copy_url": f"{portal}/copy"})
