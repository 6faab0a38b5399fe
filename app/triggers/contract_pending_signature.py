"""2: a contract is sent for signature, by hand or by a job's completion."""

import msgspec

from app.contract.codec import Fact
from app.contract.types import ContractSent
from app.domain.book import Book
from app.domain.keys import subject
from app.domain.occasion import Occasion
from app.triggers.base import AccountVariables, EventTrigger, Occurrence, Present, as_told, happened


class Variables(AccountVariables, frozen=True, kw_only=True):
    """`sign_url`: where to sign; `custom_message`: a line of the sender's own."""

    sign_url: str
    custom_message: str | None


def occurs(_before: Book, _after: Book, fact: Fact, data: ContractSent) -> Occurrence | None:
    """Each sending, again too."""
    about = subject("contract", data.contract_id, fact.source, fact.id)
    said = {"sign_url": data.sign_url, "custom_message": data.custom_message}
    return Occurrence(about, data.contract_id, said, contact=data.contact_id)


def message(present: Present, occasion: Occasion) -> Variables:
    """Return what the event said."""
    return msgspec.convert(as_told(present, occasion), Variables)


TRIGGER = EventTrigger(
    id="contract_pending_signature",
    data=ContractSent,
    audience="contact",
    variables=Variables,
    message=message,
    holds=happened,
    occurs=occurs,
)
