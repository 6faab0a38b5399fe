"""1: a contact's password was changed, in the instance or the portal."""

from app.contract.codec import Fact
from app.contract.types import PasswordChanged
from app.domain.book import Book
from app.domain.keys import subject
from app.domain.occasion import Occasion
from app.triggers.base import AccountVariables, EventTrigger, Occurrence, Present, as_told, happened


class Variables(AccountVariables, frozen=True, kw_only=True):
    """`via`: `instance` or `portal`, None if the event does not say."""

    via: str | None


def occurs(_before: Book, _after: Book, fact: Fact) -> Occurrence | None:
    """Each change."""
    if not isinstance(fact.data, PasswordChanged):
        return None
    about = subject("event", fact.source, fact.id)
    return Occurrence(about, facts={"via": fact.data.via}, contact=fact.data.contact_id)


def message(present: Present, occasion: Occasion) -> Variables:
    """Return where it was changed."""
    return Variables(**as_told(present, occasion))


TRIGGER = EventTrigger(
    id="contact_password_changed",
    audience="contact",
    variables=Variables,
    message=message,
    holds=happened,
    occurs=occurs,
)
