"""10: a reset link is asked for by e-mail."""

from datetime import datetime
from typing import Any

from app.contract.codec import Fact
from app.contract.instants import datetime_of
from app.contract.types import PasswordResetRequested
from app.domain.book import Book
from app.domain.keys import subject
from app.domain.occasion import Occasion
from app.triggers.base import EventTrigger, Occurrence, Present, UserVariables, happened


class Variables(UserVariables, frozen=True, kw_only=True):
    """`reset_url` lets someone in: it goes into the message alone. `expires_at` is shown in the company's zone."""

    reset_url: str
    expires_at: datetime


def occurs(_before: Book, _after: Book, fact: Fact, data: PasswordResetRequested) -> Occurrence | None:
    """Each request."""
    said = {"url": data.reset_url, "expires_at": data.expires_at}
    return Occurrence(subject("event", fact.source, fact.id), data.user.user_id, said, expires_at=data.expires_at)


def message(_present: Present, occasion: Occasion) -> Variables:
    """Return the link and how long it lives."""
    said: dict[str, Any] = occasion.facts or {}
    return Variables(reset_url=said["url"], expires_at=datetime_of(said["expires_at"]))


TRIGGER = EventTrigger(
    id="user_forgot_password",
    data=PasswordResetRequested,
    audience="user",
    variables=Variables,
    message=message,
    holds=happened,
    occurs=occurs,
)
