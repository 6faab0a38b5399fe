"""To whom a message goes (DOMAIN.md, section 4.2)."""

from app.domain.account import Contact
from app.domain.audience import account_contacts, named_contact, recipients
from app.domain.occasion import Reason
from tests.builders import a_contact, some_details


def to(*contacts: Contact, critical: bool = False) -> list[tuple[str, str]]:
    found = recipients(contacts, critical=critical)
    assert not isinstance(found, Reason)
    return [(recipient.recipient, recipient.address) for recipient in found]


def test_a_contact_that_holds_one_of_the_categories_is_an_account_contact() -> None:
    contacts = (a_contact("both", categories=("general", "financial")), a_contact("gen", categories=("general",)))
    found = account_contacts(some_details(contacts=contacts), ("financial", "legal"))
    assert [contact.contact_id for contact in found] == ["both"]


def test_a_contact_without_categories_is_no_account_contact() -> None:
    assert account_contacts(some_details(contacts=(a_contact(categories=()),)), ("financial",)) == []


def test_an_audience_of_no_category_is_nobody() -> None:
    assert account_contacts(some_details(), ()) == []


def test_one_message_an_address_whatever_its_case_and_the_first_contact_gets_it() -> None:
    assert to(a_contact("ann", email="Both@x.example"), a_contact("bob", email="both@X.example")) == [
        ("ann", "Both@x.example")
    ]


def test_opt_outs_come_before_shared_addresses() -> None:
    ann, bob = a_contact("ann", email="b@x.example", email_opt_out=True), a_contact("bob", email="b@x.example")
    assert to(ann, bob) == [("bob", "b@x.example")]


def test_with_some_opted_out_the_rest_are_written_to() -> None:
    assert to(a_contact("ann", email_opt_out=True), a_contact("bob")) == [("bob", "bob@a1.example")]


def test_with_all_opted_out_it_is_opted_out() -> None:
    assert (
        recipients([a_contact("ann", email_opt_out=True), a_contact("bob", email=None)], critical=False)
        is Reason.OPTED_OUT
    )


def test_without_any_address_there_is_no_recipient() -> None:
    assert recipients([], critical=False) is Reason.NO_RECIPIENT
    assert recipients([a_contact("ann", email=None), a_contact("bob", email="")], critical=False) is Reason.NO_RECIPIENT


def test_critical_messages_go_to_those_who_opted_out_too() -> None:
    assert to(a_contact("ann", email_opt_out=True), critical=True) == [("ann", "ann@a1.example")]


def test_a_named_contact_is_one_that_is_known_and_has_an_address() -> None:
    details = some_details(contacts=(a_contact("ann", categories=()), a_contact("bob", email=None)))
    found = [named_contact(details, contact_id) for contact_id in ("ann", "bob", "cyd", None)]
    assert [[contact.contact_id for contact in contacts] for contacts in found] == [["ann"], [], [], []]
