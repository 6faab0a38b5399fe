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


def occurs(_before: Book, _after: Book, fact: Fact, data: PasswordChanged) -> Occurrence | None:
    """Each change."""
    about = subject("event", fact.source, fact.id)
    return Occurrence(about, facts={"via": data.via}, contact=data.contact_id)


def message(present: Present, occasion: Occasion) -> Variables:
    """Return where it was changed."""
    return Variables(**as_told(present, occasion))


TRIGGER = EventTrigger(
    id="contact_password_changed",
    data=PasswordChanged,
    audience="contact",
    variables=Variables,
    message=message,
    holds=happened,
    occurs=occurs,
)
