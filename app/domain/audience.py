"""To whom a message goes (DOMAIN.md, section 4.2)."""

from collections.abc import Iterable

import msgspec

from app.domain.account import Contact, Details
from app.domain.occasion import Reason


class Recipient(msgspec.Struct, frozen=True, gc=False):
    """One person over one channel; `recipient` is the contact's id, which stands in the dedup key."""

    recipient: str
    channel: str
    address: str
    name: str
    language: str | None


def account_contacts(details: Details, categories: Iterable[str]) -> list[Contact]:
    """Return the contacts that hold at least one of the categories."""
    wanted = set(categories)
    return [contact for contact in details.contacts if not wanted.isdisjoint(contact.categories)]


def named_contact(details: Details, contact_id: str | None) -> list[Contact]:
    """Return that contact, if it is known and has an address."""
    return [contact for contact in details.contacts if contact.contact_id == contact_id and contact.email]


def recipients(contacts: Iterable[Contact], *, critical: bool) -> tuple[Recipient, ...] | Reason:
    """Return who is written to, or why nobody: no address at all, or everybody with one has opted out.

    Opt-outs come first, unless the rule is critical; then one message an address: the first contact's that has it.
    """
    reachable = [contact for contact in contacts if contact.email]
    if not reachable:
        return Reason.NO_RECIPIENT
    chosen: dict[str, Recipient] = {}
    for contact in reachable:
        if critical or not contact.email_opt_out:
            address = contact.email or ""
            chosen.setdefault(
                address.casefold(), Recipient(contact.contact_id, "email", address, contact.name, contact.language)
            )
    return tuple(chosen.values()) or Reason.OPTED_OUT
