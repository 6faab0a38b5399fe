"""7: a user is created, or "resend" is asked."""

from datetime import datetime
from typing import Any

from app.contract.codec import Fact
from app.contract.instants import datetime_of
from app.contract.types import UserCreated
from app.domain.book import Book
from app.domain.keys import subject
from app.domain.occasion import Occasion
from app.triggers.base import EventTrigger, Occurrence, Present, UserVariables, happened


class Variables(UserVariables, frozen=True, kw_only=True):
    """`set_password_url` lets someone in: into the message alone. `expires_at` is shown in the company's zone."""

    set_password_url: str
    expires_at: datetime


def occurs(_before: Book, _after: Book, fact: Fact, data: UserCreated) -> Occurrence | None:
    """Created, and each resend."""
    said = {"url": data.set_password_url, "expires_at": data.expires_at}
    return Occurrence(subject("event", fact.source, fact.id), data.user.user_id, said, expires_at=data.expires_at)


def message(_present: Present, occasion: Occasion) -> Variables:
    """Return the link and how long it lives."""
    said: dict[str, Any] = occasion.facts or {}
    return Variables(set_password_url=said["url"], expires_at=datetime_of(said["expires_at"]))


TRIGGER = EventTrigger(
    id="user_created",
    data=UserCreated,
    audience="user",
    variables=Variables,
    message=message,
    holds=happened,
    occurs=occurs,
)
