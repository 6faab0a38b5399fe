"""A test send: the mail of a preview, to an address of one's own."""

import uuid
from collections.abc import Sequence
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from app.contract.instants import Instant, datetime_of
from app.delivery import smtp
from app.delivery.message import AddressError, Envelope
from app.delivery.relay import Relay
from app.errors import WhimbrelError
from app.settings import Settings

MARK = "[test]"


class NoMailError(WhimbrelError):
    """The file is no mail with sender and subject, as `whimbrel templates preview` writes."""


def for_test(content: bytes, to: str, at: Instant) -> Envelope:
    """Return the mail readdressed to `to`: marked, with an id of its own, and with no way to unsubscribe the real one.

    Raises NoMailError and AddressError.
    """
    mail: EmailMessage = message_from_bytes(content, policy=policy.SMTP)
    senders: Sequence[Address] = mail["From"].addresses if mail["From"] else ()
    if len(senders) != 1 or mail["Subject"] is None:
        raise NoMailError
    (sender,) = senders
    recipient = _address(to)
    new = {
        "Message-ID": f"<test-{uuid.uuid4().hex}@{sender.domain}>",
        "Date": format_datetime(datetime_of(at)),
        "To": recipient,
        "Subject": f"{MARK} {mail['Subject']}",
    }
    for header in ("List-Unsubscribe", "List-Unsubscribe-Post", *new):
        del mail[header]
    for header, value in new.items():
        mail[header] = value
    return Envelope(sender.addr_spec, recipient.addr_spec, mail.as_bytes())


async def send(envelopes: list[Envelope], settings: Settings) -> list[str]:
    """Hand each over to the configured relay; return what became of each: accepted, or why not."""
    relay = Relay(settings)
    try:
        return [_said(await relay.hand_over(envelope, _at_once)) for envelope in envelopes]
    finally:
        await relay.close()


async def _at_once() -> bool:
    return True


def _said(result: object) -> str:
    match result:
        case smtp.Accepted():
            return "accepted"
        case smtp.Rejected(reason):
            return f"rejected: {reason}"
        case smtp.Deferred(reason):
            return f"not accepted: {reason}"
        case smtp.Unknown(reason):
            return f"perhaps accepted: {reason}"
        case _:
            return "not tried: the relay does not answer"


def _address(text: str) -> Address:
    try:
        address = Address(addr_spec=text.strip())
    except (ValueError, IndexError):
        raise AddressError from None
    if not address.domain or not text.isascii():
        raise AddressError
    return address
