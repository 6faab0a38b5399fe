"""The cards that customers pay by: some run out within the story, and are renewed, replaced or forgotten."""

from datetime import date, datetime, timedelta
from typing import Any, Final

from app.dev.customers.customer import Customer

NEAR: Final = 0.4
"""The share of cards that run out within four months."""


def keep_cards(one: Customer) -> None:
    """Pay by a card, or keep one that pays nothing by itself."""
    if not one.autopay and not one.chance(0.15):
        return
    card = _card(one)
    if one.autopay:
        one.method = {"kind": "card", "brand": card["brand"], "last4": card["last4"]}
    if one.imported:
        at = one.joined - timedelta(hours=10)
        one.say("billing.card.snapshot", at, card)
    else:
        at = one.joined + timedelta(minutes=20)
        one.say("billing.card.updated", at, card)
    if one.chance(0.3):
        _replace(one, card)


def _card(one: Customer) -> dict[str, Any]:
    months = one.dice.randrange(5) if one.chance(NEAR) else one.dice.randrange(5, 40)
    return {
        "card_id": f"{one.id}-v1",
        "brand": one.dice.choice(("visa", "mastercard")),
        "last4": f"{one.dice.randrange(10_000):04}",
        "expires": _month(one.begin, months),
        "autopay": one.autopay,
    }


def _replace(one: Customer, card: dict[str, Any]) -> None:
    at: datetime = one.some_time(one.some_day())
    if one.chance(0.5):
        one.say("billing.card.updated", at, card | {"expires": _month(one.begin, 36)})
        return
    one.say("billing.card.removed", at, {"card_id": card["card_id"]})
    new = {"card_id": f"{one.id}-v2", "last4": f"{one.dice.randrange(10_000):04}", "expires": _month(one.begin, 1)}
    one.say("billing.card.updated", at + timedelta(minutes=2), card | new)


def _month(begin: date, later: int) -> str:
    years, month = divmod(begin.month - 1 + later, 12)
    return f"{begin.year + years}-{month + 1:02}"
