"""One message's SMTP dialogue, in two halves around the moment of no return, and what can come of it.

Reasons name codes and steps. A relay's own words may quote an address, so they go nowhere.
"""

import re
import ssl
from typing import Final, NamedTuple

import aiosmtplib

from app.delivery.message import Envelope


class Accepted(NamedTuple):
    """The relay has taken the message over."""


class Deferred(NamedTuple):
    """Not taken, and surely so: may be tried again."""

    reason: str


class Rejected(NamedTuple):
    """Refused for good."""

    reason: str


class Unknown(NamedTuple):
    """The message was on its way and no answer came: it may have arrived, and must not be sent again."""

    reason: str


class LostError(Exception):
    """The session is of no more use; nothing of the message has left. The message is a reason."""


FINAL_REPLY: Final = 10
"""Times the timeout: the answer to the message itself may take long, and not to wait for it makes a doubt of it
(RFC 5321, section 4.5.3.2.6)."""

LEAVE_SECONDS: Final = 1.0
"""A relay that does not answer QUIT must not hold up the worker's end."""

_OK: Final = range(200, 300)
_START: Final = 354
_TEMPORARY: Final = range(400, 500)
_PERMANENT: Final = range(500, 600)
_ABOUT_US: Final = frozenset({421, 530, 534, 535, 538})
"""Closing down, or login and TLS amiss (RFC 4954): about the session rather than about the message."""
_REASONS: Final[tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...]] = (
    (aiosmtplib.SMTPConnectTimeoutError, "connecting timed out"),
    (TimeoutError, "timed out"),
    (ssl.SSLError, "tls failed"),
    (aiosmtplib.SMTPConnectError, "connecting failed"),
    (OSError, "connection lost"),
)
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?!\d)")


async def address(client: aiosmtplib.SMTP, envelope: Envelope) -> Deferred | Rejected | None:
    """Say MAIL and RCPT; return None when both are accepted, else the refusal. Raises LostError."""
    for step, command in (("mail", f"MAIL FROM:<{envelope.sender}>"), ("rcpt", f"RCPT TO:<{envelope.recipient}>")):
        reply = await _say(client, step, command)
        if reply.code in _ABOUT_US:
            raise LostError(_reason(reply, step))
        refusal = _refusal(reply, step)
        if refusal is not None:
            await reset(client)
            return refusal
    return None


async def transmit(client: aiosmtplib.SMTP, content: bytes, seconds: float) -> Accepted | Deferred | Rejected | Unknown:
    """Send the message itself, once sender and recipient are accepted; each step may take `seconds`, the last more."""
    try:
        reply = await _say(client, "data", "DATA")
    except LostError as lost:
        # Not a byte of the message has left, so there is no doubt, whatever became of the connection.
        return Deferred(str(lost))
    protocol = client.protocol
    if reply.code != _START or protocol is None:
        await reset(client)
        return _refusal(reply, "data") or Deferred(_reason(reply, "data"))
    try:
        protocol.write(_dotted(content))
        reply = await protocol.read_response(timeout=seconds * FINAL_REPLY)
    except (aiosmtplib.SMTPException, OSError) as error:
        client.close()
        return Unknown(f"{session_reason(error)} after data")
    if reply.code in _OK:
        return Accepted()
    return _refusal(reply, "message") or Unknown(_reason(reply, "message"))


async def reset(client: aiosmtplib.SMTP) -> None:
    """Forget sender and recipient; a session that cannot is closed."""
    try:
        await client.rset()
    except (aiosmtplib.SMTPException, OSError):
        client.close()


async def leave(client: aiosmtplib.SMTP) -> None:
    """Say QUIT and close; a relay that has already gone is left all the same."""
    try:
        if client.is_connected:
            await client.quit(timeout=LEAVE_SECONDS)
    except (aiosmtplib.SMTPException, OSError):
        pass
    finally:
        client.close()


def session_reason(error: Exception) -> str:
    """Say what went wrong with a session, in words of ours."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"smtp {error.code}"
    return next((words for kinds, words in _REASONS if isinstance(error, kinds)), "session refused")


async def _say(client: aiosmtplib.SMTP, step: str, command: str) -> aiosmtplib.SMTPResponse:
    try:
        return await client.execute_command(command.encode("ascii"))
    except (aiosmtplib.SMTPException, OSError) as error:
        reason = f"{session_reason(error)} at {step}"
    client.close()
    raise LostError(reason)


def _refusal(reply: aiosmtplib.SMTPResponse, step: str) -> Deferred | Rejected | None:
    if reply.code in _TEMPORARY:
        return Deferred(_reason(reply, step))
    if reply.code in _PERMANENT:
        return Rejected(_reason(reply, step))
    return None


def _reason(reply: aiosmtplib.SMTPResponse, step: str) -> str:
    enhanced = _ENHANCED.match(reply.message)
    return " ".join(["smtp", str(reply.code), *([enhanced.group()] if enhanced else []), "at", step])


def _dotted(content: bytes) -> bytes:
    """Return the content as DATA carries it: leading dots doubled, a lone dot at the end. Lines already end in CRLF."""
    return (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:].removesuffix(b"\r\n") + b"\r\n.\r\n"
