"""11: an account's physical or mailing address really changed."""

from app.contract.codec import Fact
from app.contract.types import Address, AddressChanged
from app.domain.book import Book
from app.domain.keys import subject
from app.domain.occasion import Occasion
from app.triggers.base import AccountVariables, EventTrigger, Occurrence, Present, as_told, happened


class Variables(AccountVariables, frozen=True, kw_only=True):
    """`kind`: `physical` or `mailing`. The addresses themselves are not repeated: they are secrets."""

    kind: str


def occurs(_before: Book, _after: Book, fact: Fact, data: AddressChanged) -> Occurrence | None:
    """A change of more than spaces and case; empty and absent are equal."""
    if _plain(data.old) == _plain(data.new):
        return None
    return Occurrence(subject("event", fact.source, fact.id), facts={"kind": data.kind})


def _plain(address: Address | None) -> dict[str, str]:
    if address is None:
        return {}
    lines = {"": address} if isinstance(address, str) else address
    plain = {name: " ".join(str(line).split()).casefold() for name, line in lines.items() if line is not None}
    return {name: line for name, line in plain.items() if line}


def message(present: Present, occasion: Occasion) -> Variables:
    """Return which address."""
    return Variables(**as_told(present, occasion))


TRIGGER = EventTrigger(
    id="account_address_changed",
    data=AddressChanged,
    categories=("general",),
    variables=Variables,
    message=message,
    holds=happened,
    occurs=occurs,
)
