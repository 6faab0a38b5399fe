"""Rendered parts made into a mail: headers as DOMAIN.md, section 8, has them; bytes that any relay takes."""

import base64
import hashlib
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import NamedTuple
from urllib.parse import quote

from app.contract.instants import Instant, datetime_of
from app.delivery.render import Rendered
from app.engine.outbox import Notification
from app.errors import WhimbrelError


class AddressError(WhimbrelError):
    """No mail can be sent to or from such an address."""


class Envelope(NamedTuple):
    """Who SMTP is told, and what it is handed. One recipient: two notifications never share a transaction."""

    sender: str
    recipient: str
    content: bytes


def message_id(notification: Notification) -> str:
    """Return the Message-ID: the same for the same dedup key and sender, whatever happens in between."""
    return f"<{local_part(notification.dedup_key)}@{_domain(notification.company.from_address)}>"


def local_part(dedup_key: str) -> str:
    """Return what stands before the @ of a Message-ID: it tells the dedup key, whoever sends."""
    digest = hashlib.sha256(dedup_key.encode()).digest()
    return base64.b32encode(digest[:20]).decode().lower()


def build(notification: Notification, rendered: Rendered, at: Instant, redirect: str | None = None) -> Envelope:
    """Return what is handed over to the relay.

    `at` is the Date. With `redirect` the mail goes to that address alone, and the real one stands in no other place
    than a header of it. Raises AddressError.
    """
    company = notification.company
    real = _mailbox(notification.name, notification.address)
    recipient = _mailbox(notification.name, redirect) if redirect else real
    sender = _mailbox(company.from_name, company.from_address)
    mail = EmailMessage(policy=SMTP)
    mail["Message-ID"] = message_id(notification)
    mail["Date"] = format_datetime(datetime_of(at))
    mail["From"] = sender
    if company.reply_to:
        mail["Reply-To"] = _mailbox("", company.reply_to)
    mail["To"] = recipient
    mail["Subject"] = rendered.subject
    mail["Auto-Submitted"] = "auto-generated"
    if redirect:
        mail["X-Whimbrel-Redirected-From"] = real.addr_spec
    elif not notification.critical:
        mail["List-Unsubscribe"] = f"<{_unsubscribe(notification)}>"
    mail.set_content(rendered.text, cte="quoted-printable")
    mail.add_alternative(rendered.html, subtype="html", cte="quoted-printable")
    mail["Content-Language"] = rendered.language.replace("_", "-")  # by now: contents take such headers with them
    mail.set_boundary(f"={local_part(notification.dedup_key)}")
    return Envelope(sender.addr_spec, recipient.addr_spec, mail.as_bytes())


def _unsubscribe(notification: Notification) -> str:
    """Return a mailto that names account and contact: opt-outs are facts that the portal publishes.

    No List-Unsubscribe-Post: RFC 8058 wants a page behind it.
    """
    address = notification.company.reply_to or notification.company.from_address
    subject = f"unsubscribe {notification.account_id} {notification.recipient}"
    return f"mailto:{quote(address, safe='@')}?subject={quote(subject)}"


def _mailbox(name: str, address: str) -> Address:
    """Return a header's address, the domain in ASCII, the name in one line. A local part must be ASCII and unquoted."""
    local, _, domain = address.strip().rpartition("@")
    mailbox = _parsed(" ".join(name.split()), local, _ascii(domain))
    if mailbox is None:  # raised out here, so that no context of the error holds the address
        raise AddressError
    return mailbox


def _parsed(name: str, local: str, domain: str) -> Address | None:
    whole = f"{local}@{domain}"
    if not local or not domain or any(char.isspace() or not char.isprintable() for char in whole):
        return None
    try:
        return Address(name, addr_spec=whole)
    except (MessageError, ValueError, IndexError):  # the parser trips over some broken addresses
        return None


def _domain(address: str) -> str:
    return _ascii(address.rpartition("@")[2]) or "localhost"


def _ascii(domain: str) -> str:
    """Return the domain as DNS has it, empty where there is no such name."""
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return ""
