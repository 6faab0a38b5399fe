"""3: an autopay card comes within X months of its expiry."""

from collections.abc import Iterator
from datetime import date

from app.domain.card import Card, last_of_month, months_before
from app.domain.keys import subject
from app.domain.occasion import Occasion
from app.domain.rules import Rule
from app.triggers.base import AccountVariables, Coming, DayTrigger, Present, account_variables


class Variables(AccountVariables, frozen=True, kw_only=True):
    """`expires_on`: the last day of its month; `months`: X."""

    brand: str
    last4: str
    expires_on: date
    months: int


def coming(present: Present, rule: Rule) -> Iterator[Coming]:
    """The window's first day, or the instant at which the card came inside it; an expired card never does.

    A snapshot's card comes up on the window's first day alone.
    """
    for card in present.book.cards.values():
        if card.autopay and present.today <= card.last_day:
            opening = months_before(card.last_day, rule.x or 0)
            yield Coming(opening, _names(card, rule.x), card.card_id, None if card.silent else card.since)


def _names(card: Card, x: int | None) -> tuple[object, ...]:
    return "card", card.card_id, card.expires, x


def holds(present: Present, occasion: Occasion) -> bool:
    """Stored, autopay, same expiry, not past."""
    card = present.book.cards.get(occasion.about or "")
    if card is None or not card.autopay or present.today > card.last_day:
        return False
    return occasion.subject == subject(*_names(card, occasion.x))


def message(present: Present, occasion: Occasion) -> Variables:
    """Return the card and X."""
    card = present.book.cards[occasion.about or ""]
    return Variables(
        **account_variables(present),
        brand=card.brand,
        last4=card.last4,
        expires_on=card.last_day,
        months=occasion.x or 0,
    )


TRIGGER = DayTrigger(
    id="credit_card_expiring",
    x_min=1,
    variables=Variables,
    message=message,
    holds=holds,
    coming=coming,
    anchors=("card",),
    anchored=lambda day, x: last_of_month(day.year, day.month + x),
)
