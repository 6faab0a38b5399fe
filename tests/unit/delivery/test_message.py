"""A mail's headers and parts."""

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from msgspec.structs import replace

from app.contract.instants import parse_instant
from app.delivery.message import AddressError, Envelope, build, message_id
from app.delivery.render import Renderer
from app.dev.previews import COMPANY, a_notification
from app.engine.outbox import Notification
from app.triggers import REGISTRY

AT = parse_instant("2026-06-12T14:00:00Z")
RENDERER = Renderer()


def envelope(notification: Notification, redirect: str | None = None) -> Envelope:
    rendered = RENDERER.render(notification, REGISTRY[notification.trigger].variables)
    return build(notification, rendered, AT, redirect)


def parsed(notification: Notification) -> EmailMessage:
    return message_from_bytes(envelope(notification).content, policy=policy.default)


def test_the_headers_are_those_of_an_automatic_message_that_can_be_answered() -> None:
    mail = parsed(a_notification())
    assert mail["From"] == "Acme Fiber Billing <billing@acme.example>"
    assert mail["Reply-To"] == "help@acme.example"
    assert mail["To"] == "Ann Miller <ann.miller@mail.example>"
    assert mail["Date"] == "Fri, 12 Jun 2026 14:00:00 +0000"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Content-Language"] == "en"
    assert mail["List-Unsubscribe"] == "<mailto:help@acme.example?subject=unsubscribe%20a1042%20c1>"


def test_critical_messages_cannot_be_unsubscribed_from() -> None:
    assert parsed(a_notification(critical=True))["List-Unsubscribe"] is None


def test_the_message_id_is_the_dedup_keys_and_nothing_elses() -> None:
    first = a_notification()
    again = a_notification(variables={"days": 9}, moment="2027-01-01T00:00:00Z", address="other@mail.example")
    assert message_id(first) == message_id(again) == parsed(first)["Message-ID"]
    assert message_id(first) != message_id(a_notification(number=2))
    assert message_id(first).endswith("@acme.example>")


def test_the_same_notification_makes_the_same_bytes() -> None:
    assert envelope(a_notification()) == envelope(a_notification())


def test_text_and_html_say_the_same_and_every_line_is_short_ascii() -> None:
    notification = a_notification(name="Zoë Ångström", company=replace(COMPANY, name="Åcme Fibér"))
    mail = parsed(notification)
    bodies = [mail.get_body((kind,)) for kind in ("plain", "html")]
    assert all(body is not None and "Zoë Ångström" in body.get_content() for body in bodies)
    content = envelope(notification).content
    content.decode("ascii")
    assert max(map(len, content.split(b"\r\n"))) < 998
    assert b"\n" not in content.replace(b"\r\n", b"")


@pytest.mark.parametrize("name", ["Ann\r\nBcc: x@y.example", 'Ann "the boss", Miller', "", "Ünï", "a" * 300])
def test_a_name_is_a_name_and_no_header(name: str) -> None:
    mail = parsed(a_notification(name=name))
    assert mail["Bcc"] is None
    assert mail["To"].addresses[0].addr_spec == "ann.miller@mail.example"


def test_an_international_domain_is_written_as_dns_has_it() -> None:
    assert envelope(a_notification(address="ann@bücher.example")).recipient == "ann@xn--bcher-kva.example"


@pytest.mark.parametrize(
    "address", ["", "x", "@c.example", "a@", "a b@c.example", "a@b@c.example", "ann<b@c.example>", "jösé@c.example"]
)
def test_what_is_no_address_is_refused_without_being_quoted(address: str) -> None:
    with pytest.raises(AddressError) as caught:
        envelope(a_notification(address=address))
    assert str(caught.value) == "No mail can be sent to or from such an address."
    assert caught.value.__context__ is None


def test_redirected_the_real_address_stands_in_one_header_only() -> None:
    made = envelope(a_notification(), "shadow@ops.example")
    assert made.recipient == "shadow@ops.example"
    assert made.content.count(b"ann.miller@mail.example") == 1
    assert b"X-Whimbrel-Redirected-From: ann.miller@mail.example" in made.content
    assert b"List-Unsubscribe" not in made.content
