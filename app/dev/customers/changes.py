"""What changes about the account on the way."""

from datetime import timedelta

from app.dev.customers.customer import Customer
from app.dev.customers.people import moved_zone


def change(one: Customer) -> None:
    """Get more time to pay, or move to another zone."""
    day = one.some_day()
    if one.chance(0.08):
        until = day + timedelta(days=one.dice.randrange(5, 20))
        one.say("billing.account.updated", one.some_time(day), one.data | {"grace_until": str(until)})
    if one.chance(0.02):
        one.say("billing.account.updated", one.some_time(day), one.data | {"time_zone": moved_zone(one)})
