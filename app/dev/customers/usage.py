"""What customers with a limit on their data have used, told every few days of each month's cycle."""

from datetime import date, timedelta
from typing import Final

from app.dev.customers.customer import Customer, instant

TERABYTE: Final = 1_000 * 10**9
EVERY_DAYS: Final = 4
TOP_OFF: Final = TERABYTE // 5


def use(one: Customer) -> None:
    """Use what the line gives: most stay below their limit, some go over it, some then buy more."""
    if not one.chance(0.4):
        return
    tops_off = one.chance(0.3)
    cycle = one.joined.date().replace(day=1)
    while cycle < one.end.date():
        following = (cycle + timedelta(days=31)).replace(day=1)
        appetite = one.dice.choices((0.5, 0.95, 1.2), (5, 3, 2))[0] * one.dice.uniform(0.8, 1.1)
        _use_up(one, cycle, following, appetite, tops_off=tops_off)
        cycle = following


def _use_up(one: Customer, cycle: date, following: date, appetite: float, *, tops_off: bool) -> None:
    length, cap = (following - cycle).days, TERABYTE
    for day in range(EVERY_DAYS, length, EVERY_DAYS):
        at = instant(cycle + timedelta(days=day), 4 * 3600 + one.dice.randrange(7200))
        used = round(TERABYTE * appetite * day / (length - EVERY_DAYS))
        if at > one.joined:
            data = {
                "policy_id": f"{one.id}-data",
                "cycle_start": str(cycle),
                "cycle_end": str(following - timedelta(days=1)),
                "used_bytes": used,
                "cap_bytes": cap,
            }
            one.say("billing.usage.recorded", at, data)
        if tops_off and used >= cap:
            cap += TOP_OFF
