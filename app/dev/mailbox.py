"""A mailbox for development: an SMTP server that keeps what it is given, and misbehaves when asked to."""

import asyncio
import errno
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from types import TracebackType
from typing import Any, Final, Literal, Self, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from app import clock
from app.contract.instants import Instant

HOST: Final = "127.0.0.1"
KEEP: Final = 10_000
DROP: Final = "drop"
"""An answer of `Behaviour`: break the connection."""
SILENT: Final = "silent"
"""An answer of `Behaviour`: never answer."""

Step = Literal["mail", "rcpt", "data", "message"]
Behaviour = Callable[[Step, str], str | None]
"""(step, address) -> an SMTP reply instead of the usual one, DROP or SILENT; None: as usual. The address is the
sender's at `mail`, else the recipient's. What is answered at `message` otherwise than 2xx is not kept."""


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail as it was handed over, and what of its headers a list shows."""

    number: int
    """Counts from 1."""
    received: Instant
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    id: str
    subject: str
    date: str
    shown_from: str
    shown_to: str

    @property
    def message(self) -> EmailMessage:
        """The content, parsed anew."""
        return message_from_bytes(self.content, policy=policy.default)

    @property
    def text(self) -> str:
        """The plain text, empty where there is none."""
        return self._body("plain")

    @property
    def html(self) -> str:
        """The HTML, empty where there is none."""
        return self._body("html")

    def _body(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        return "" if part is None else str(part.get_content())


def read_mail(number: int, received: Instant, sender: str, recipients: tuple[str, ...], content: bytes) -> Mail:
    """Return the mail with its headers read."""
    headers = BytesHeaderParser(policy=policy.default).parsebytes(content)
    return Mail(
        number=number,
        received=received,
        sender=sender,
        recipients=recipients,
        content=content,
        id=str(headers["Message-ID"] or ""),
        subject=str(headers["Subject"] or ""),
        date=str(headers["Date"] or ""),
        shown_from=str(headers["From"] or sender),
        shown_to=str(headers["To"] or ", ".join(recipients)),
    )


class Mailbox:
    """The SMTP server, listening while the context lasts; it keeps the newest mails and counts all.

    A port that is taken gives way to a free one: ask `port`.
    """

    def __init__(
        self, port: int = 0, *, host: str = HOST, keep: int = KEEP, behaviour: Behaviour | None = None
    ) -> None:
        """Listen at `port` (0: any free one) once entered."""
        self.host = host
        self.port = port
        self.behaviour = behaviour
        self.messages: deque[Mail] = deque(maxlen=keep)
        self.total = 0
        self.ids: Counter[str] = Counter()
        """How often each Message-ID was handed over."""
        self.connections = 0
        self._arrived = asyncio.Event()
        self._sessions: set[_Session] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()

        def listen(port: int) -> Any:
            return loop.create_server(lambda: _Session(self, loop), self.host, port)

        try:
            self._server = await listen(self.port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            self._server = await listen(0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            self.hang_up()
            await self._server.wait_closed()

    def hang_up(self) -> None:
        """Break all connections."""
        for session in list(self._sessions):
            session.drop()

    async def wait_for(self, condition: Callable[["Mailbox"], bool], seconds: float = 10.0) -> None:
        """Return once the condition holds; TimeoutError when it does not in time. Looked at with each mail."""
        async with asyncio.timeout(seconds):
            while not condition(self):
                self._arrived.clear()
                await self._arrived.wait()

    def doubled(self) -> Iterable[str]:
        """Return the Message-IDs that were handed over more than once."""
        return [each for each, count in self.ids.items() if count > 1]

    def keep_mail(self, sender: str, recipients: Iterable[str], content: bytes) -> None:
        """Take a mail in."""
        self.total += 1
        mail = read_mail(self.total, clock.now(), sender, tuple(recipients), content)
        self.messages.append(mail)
        self.ids[mail.id] += 1
        self._arrived.set()

    def opened(self, session: "_Session") -> None:
        """Count a connection."""
        self.connections += 1
        self._sessions.add(session)

    def closed(self, session: "_Session") -> None:
        """Forget it."""
        self._sessions.discard(session)


class _Session(SMTP):  # type: ignore[misc] # aiosmtpd has no types
    """One connection."""

    def __init__(self, mailbox: Mailbox, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(_Hooks(mailbox), hostname="mailbox", ident="Whimbrel mailbox", loop=loop)
        self._mailbox = mailbox

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._mailbox.opened(self)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._mailbox.closed(self)

    def drop(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd finds it by this name
        recipient = self.envelope.rcpt_tos[0] if self.envelope.rcpt_tos else ""
        answer = await _answer(self, self._mailbox, "data", recipient)
        if answer is None:
            await super().smtp_DATA(arg)
        else:
            await self.push(answer)


class _Hooks:
    """What aiosmtpd calls."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_MAIL(  # noqa: N802
        self, server: _Session, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = await _answer(server, self._mailbox, "mail", address)
        if answer is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: _Session, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        answer = await _answer(server, self._mailbox, "rcpt", address)
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(self, server: _Session, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = await _answer(server, self._mailbox, "message", envelope.rcpt_tos[0])
        if answer is None or answer.startswith("2"):
            self._mailbox.keep_mail(envelope.mail_from or "", envelope.rcpt_tos, cast(bytes, envelope.content))
        return answer or "250 OK"


async def _answer(server: _Session, mailbox: Mailbox, step: Step, address: str) -> str | None:
    answer = mailbox.behaviour(step, address) if mailbox.behaviour else None
    if answer == DROP:
        server.drop()
    if answer in {DROP, SILENT}:
        await asyncio.Event().wait()  # until the connection's end takes this task along
    return answer
