"""14: an account's status activates for the first time ever."""

from app.contract.codec import Fact
from app.contract.types import AccountUpdated
from app.domain.book import Book
from app.domain.keys import subject
from app.domain.occasion import Occasion
from app.triggers.base import AccountVariables, EventTrigger, Occurrence, Present, account_variables, happened


class Variables(AccountVariables, frozen=True, kw_only=True):
    """The account."""


def occurs(before: Book, after: Book, _fact: Fact, _data: AccountUpdated) -> Occurrence | None:
    """Activated just now, by `account.updated`."""
    if before.account.activated is not None or after.account.activated != "updated":
        return None
    return Occurrence(subject("account", after.account.account_id))


def message(present: Present, _occasion: Occasion) -> Variables:
    """Return the account."""
    return Variables(**account_variables(present))


TRIGGER = EventTrigger(
    id="account_first_activated",
    data=AccountUpdated,
    categories=("general",),
    variables=Variables,
    message=message,
    holds=happened,
    occurs=occurs,
)
