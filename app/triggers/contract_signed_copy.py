"""9: the signed contract is sent to a contact."""

from app.contract.codec import Fact
from app.contract.types import SignedCopySent
from app.domain.book import Book
from app.domain.keys import subject
from app.domain.occasion import Occasion
from app.triggers.base import AccountVariables, EventTrigger, Occurrence, Present, as_told, happened


class Variables(AccountVariables, frozen=True, kw_only=True):
    """`copy_url`: where the signed copy lies, None if it is not to be fetched."""

    copy_url: str | None


def occurs(_before: Book, _after: Book, fact: Fact, data: SignedCopySent) -> Occurrence | None:
    """Each sending."""
    about = subject("contract", data.contract_id, fact.source, fact.id)
    return Occurrence(about, data.contract_id, {"copy_url": data.copy_url}, contact=data.contact_id)


def message(present: Present, occasion: Occasion) -> Variables:
    """Return where the copy is."""
    return Variables(**as_told(present, occasion))


TRIGGER = EventTrigger(
    id="contract_signed_copy",
    data=SignedCopySent,
    audience="contact",
    variables=Variables,
    message=message,
    holds=happened,
    occurs=occurs,
)
