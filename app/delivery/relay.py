"""Connections to the SMTP relay: few, reused, and kept away from a relay that does not answer."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import aiosmtplib

from app.delivery import smtp
from app.delivery.message import Envelope
from app.settings import Settings

IDLE_SECONDS: Final = 30.0
USES: Final = 100
"""Messages a connection: relays have limits of their own, and a new connection costs little."""
LONGEST_PAUSE: Final = 60.0


class Abandoned(NamedTuple):
    """Not tried: the relay's gate is closed, or the caller's `attempting` said no."""


Result = smtp.Accepted | smtp.Deferred | smtp.Rejected | smtp.Unknown | Abandoned


@dataclass
class _Connection:
    client: aiosmtplib.SMTP
    idle_since: float
    uses: int = 0


class Relay:
    """One relay, at most `smtp_concurrency` connections at a time.

    Where it cannot be reached a gate closes, for 1 s and doubling up to 60 s: see `pause`.
    """

    def __init__(self, settings: Settings, tls: ssl.SSLContext | None = None) -> None:
        """Connect to nothing yet. `tls` None: the system's trusted authorities."""
        self._settings = settings
        self._tls = tls or (ssl.create_default_context() if settings.smtp_tls != "none" else None)
        self._idle: list[_Connection] = []
        self._slots = asyncio.Semaphore(settings.smtp_concurrency)
        self._hostname: str | None = None
        self._failures = 0
        self._closed_until = 0.0

    def pause(self) -> float:
        """Return for how many seconds to leave the relay alone; 0 where it may be asked."""
        return max(0.0, self._closed_until - asyncio.get_running_loop().time())

    def room(self) -> int:
        """Return how many messages may be begun at once: one while it is not known whether the relay is back."""
        return 1 if self._failures else 2 * self._settings.smtp_concurrency

    async def hand_over(self, envelope: Envelope, attempting: Callable[[], Awaitable[bool]]) -> Result:
        """Hand one message to the relay.

        `attempting` is awaited once the recipient is accepted, before the message itself is sent: what it writes down
        must be durable when it returns True. What it raises passes through, with nothing handed over.
        """
        async with self._slots:
            if self.pause():
                return Abandoned()
            try:
                connection = await self._addressed(envelope)
            except smtp.LostError as lost:
                self._close_gate()
                return smtp.Deferred(str(lost))
            if not isinstance(connection, _Connection):
                return connection
            try:
                return await self._second_half(connection, envelope, attempting)
            except BaseException:
                connection.client.close()
                raise

    async def close(self) -> None:
        """Take leave of the relay; dialogues under way are not disturbed."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(smtp.leave(connection.client) for connection in idle))

    async def _addressed(self, envelope: Envelope) -> _Connection | smtp.Deferred | smtp.Rejected:
        """Return a connection on which sender and recipient are accepted, else the refusal. Raises LostError."""
        while True:
            connection = self._kept() or await self._connect()
            used = connection.uses
            connection.uses += 1
            try:
                refusal = await smtp.address(connection.client, envelope)
            except smtp.LostError:
                connection.client.close()
                if not used:
                    raise
                continue  # hung up on while idle: nobody's fault, and nothing was said of this message
            except BaseException:
                connection.client.close()
                raise
            self._failures, self._closed_until = 0, 0.0
            if refusal is None:
                return connection
            await self._keep(connection)
            return refusal

    async def _second_half(
        self, connection: _Connection, envelope: Envelope, attempting: Callable[[], Awaitable[bool]]
    ) -> Result:
        result: Result
        if await attempting():
            result = await smtp.transmit(connection.client, envelope.content, self._settings.smtp_timeout)
        else:
            await smtp.reset(connection.client)
            result = Abandoned()
        await self._keep(connection)
        return result

    def _kept(self) -> _Connection | None:
        oldest = asyncio.get_running_loop().time() - IDLE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.client.is_connected and connection.idle_since > oldest:
                return connection
            connection.client.close()
        return None

    async def _keep(self, connection: _Connection) -> None:
        if connection.uses >= USES or not connection.client.is_connected:
            await smtp.leave(connection.client)
            return
        connection.idle_since = asyncio.get_running_loop().time()
        self._idle.append(connection)

    async def _connect(self) -> _Connection:
        """Return a session ready for MAIL. Raises LostError."""
        self._hostname = self._hostname or await asyncio.to_thread(socket.getfqdn)
        settings = self._settings
        client = aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_user or None,
            password=settings.smtp_password or None,
            use_tls=settings.smtp_tls == "tls",
            start_tls=settings.smtp_tls == "starttls",
            tls_context=self._tls,
            local_hostname=self._hostname,
            timeout=settings.smtp_timeout,
        )
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            reason = smtp.session_reason(error)
        else:
            return _Connection(client, 0.0)
        client.close()
        raise smtp.LostError(reason)

    def _close_gate(self) -> None:
        if self.pause():
            return  # dialogues that fail together are one failure
        self._failures += 1
        seconds = min(LONGEST_PAUSE, 2.0 ** (self._failures - 1))
        self._closed_until = asyncio.get_running_loop().time() + seconds
