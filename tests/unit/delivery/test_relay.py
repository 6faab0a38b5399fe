"""Connections to a relay that wants TLS and a login."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from app.delivery import smtp
from app.delivery.message import Envelope
from app.delivery.relay import Abandoned, Relay
from app.dev.mailbox import DROP, Mailbox
from app.settings import Settings

CERTIFICATE = Path(__file__).parent / "relay-certificate.pem"
KEY = Path(__file__).parent / "relay-key.pem"
ENVELOPE = Envelope("from@acme.example", "to@mail.example", b"Subject: x\r\n\r\n.dot\r\n..\r\nend\r\n")


class Taken:
    """What the server was given, and how."""

    def __init__(self) -> None:
        self.contents: list[bytes] = []
        self.secure: list[bool] = []
        self.users: list[bytes] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.contents.append(envelope.content)
        self.secure.append(server.transport.get_extra_info("sslcontext") is not None or session.ssl is not None)
        return "250 OK"

    def login(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: LoginPassword) -> AuthResult:
        self.users.append(data.login)
        return AuthResult(success=data.password == b"secret", handled=False)


@contextlib.asynccontextmanager
async def relay_server(taken: Taken, *, wrapped: bool = False, login: bool = False) -> AsyncIterator[int]:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(CERTIFICATE, KEY)
    loop = asyncio.get_running_loop()
    options: dict[str, Any] = {"tls_context": None if wrapped else tls, "require_starttls": not wrapped}
    if login:
        options |= {"auth_required": True, "auth_require_tls": not wrapped, "authenticator": taken.login}
    server = await loop.create_server(
        lambda: SMTP(taken, hostname="relay", loop=loop, **options), "127.0.0.1", 0, ssl=tls if wrapped else None
    )
    async with server:
        yield server.sockets[0].getsockname()[1]


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(CERTIFICATE))


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_a_message_goes_over_tls_with_a_login(tls: Any) -> None:
    taken = Taken()
    async with relay_server(taken, wrapped=tls == "tls", login=True) as port:
        settings = Settings(smtp_port=port, smtp_tls=tls, smtp_user="ann", smtp_password="secret")
        relay = Relay(settings, trusting())
        assert await relay.hand_over(ENVELOPE, yes) == smtp.Accepted()
        await relay.close()
    assert taken.contents == [ENVELOPE.content]
    assert taken.users == [b"ann"]
    assert taken.secure == [True]


async def test_a_certificate_that_is_not_trusted_gets_no_message() -> None:
    taken = Taken()
    async with relay_server(taken) as port:
        relay = Relay(Settings(smtp_port=port, smtp_tls="starttls"))
        result = await relay.hand_over(ENVELOPE, yes)
    assert isinstance(result, smtp.Deferred)
    assert taken.contents == []


async def test_a_relay_without_starttls_gets_no_message_where_it_is_asked_for() -> None:
    async with Mailbox() as mailbox:
        relay = Relay(Settings(smtp_port=mailbox.port, smtp_tls="starttls"), trusting())
        assert await relay.hand_over(ENVELOPE, yes) == smtp.Deferred("session refused")
        assert mailbox.total == 0


async def test_a_refused_login_is_the_relays_matter_and_closes_the_gate() -> None:
    async with relay_server(Taken(), login=True) as port:
        settings = Settings(smtp_port=port, smtp_tls="starttls", smtp_user="ann", smtp_password="wrong")
        relay = Relay(settings, trusting())
        assert await relay.hand_over(ENVELOPE, yes) == smtp.Deferred("smtp 535")
        assert 0 < relay.pause() <= 1
        assert relay.room() == 1
        assert await relay.hand_over(ENVELOPE, yes) == Abandoned(), "left alone while the gate is closed"


async def test_the_message_leaves_only_after_attempting_has_said_yes() -> None:
    async with Mailbox() as mailbox:
        steps: list[str] = []
        mailbox.behaviour = lambda step, _: steps.append(step)

        async def attempting() -> bool:
            assert steps == ["mail", "rcpt"]
            steps.append("attempting")
            return True

        relay = Relay(Settings(smtp_port=mailbox.port))
        assert await relay.hand_over(ENVELOPE, no) == Abandoned()
        steps.clear()
        assert await relay.hand_over(ENVELOPE, attempting) == smtp.Accepted()
        await relay.close()
        assert steps == ["mail", "rcpt", "attempting", "data", "message"]
        assert [mail.content for mail in mailbox.messages] == [ENVELOPE.content]
        assert mailbox.connections == 1


async def test_what_attempting_raises_passes_through_and_nothing_is_handed_over() -> None:
    async def broken() -> bool:
        raise ZeroDivisionError

    async with Mailbox() as mailbox:
        relay = Relay(Settings(smtp_port=mailbox.port))
        with pytest.raises(ZeroDivisionError):
            await relay.hand_over(ENVELOPE, broken)
        assert mailbox.total == 0


async def test_a_connection_closed_while_idle_is_replaced_at_once() -> None:
    async with Mailbox() as mailbox:
        relay = Relay(Settings(smtp_port=mailbox.port))
        await relay.hand_over(ENVELOPE, yes)
        stale = True

        def once_stale(step: str, _address: str) -> str | None:
            nonlocal stale
            dropped, stale = stale and step == "mail", False
            return DROP if dropped else None

        mailbox.behaviour = once_stale
        assert await relay.hand_over(ENVELOPE, yes) == smtp.Accepted()
        assert relay.pause() == 0
        await relay.close()
        assert (mailbox.connections, mailbox.total) == (2, 2)


async def test_a_connection_is_given_up_after_a_hundred_messages() -> None:
    async with Mailbox() as mailbox:
        relay = Relay(Settings(smtp_port=mailbox.port))
        for _ in range(101):
            assert await relay.hand_over(ENVELOPE, yes) == smtp.Accepted()
        await relay.close()
        assert mailbox.connections == 2


class Deaf(Taken):
    """Answers everything but the goodbye."""

    goodbyes = 0

    async def handle_QUIT(self, _server: Any, _session: Any, _envelope: Any) -> str:  # noqa: N802
        self.goodbyes += 1
        await asyncio.Event().wait()
        return ""


async def test_leave_is_taken_on_every_idle_connection_at_once_and_no_silent_relay_waited_for() -> None:
    loop, deaf = asyncio.get_running_loop(), Deaf()
    server = await loop.create_server(lambda: SMTP(deaf, hostname="relay", loop=loop), "127.0.0.1", 0)
    async with server:
        relay = Relay(Settings(smtp_port=server.sockets[0].getsockname()[1], smtp_concurrency=3))
        assert set(await asyncio.gather(*(relay.hand_over(ENVELOPE, yes) for _ in range(3)))) == {smtp.Accepted()}
        begun = loop.time()
        await relay.close()
        assert deaf.goodbyes == 3
        assert loop.time() - begun < 2 * smtp.LEAVE_SECONDS
