"""The relay misbehaves as it is told, and records what it has taken over whether or not it says so."""

import asyncio
import random

import aiosmtplib
import pytest

from tests.faults.relay import MOODS, Mood, Relay

MAIL = b"Message-ID: <abc@mail.example>\r\nSubject: x\r\n\r\nhello\r\n"
TAKEN: set[Mood] = {"well", "cut taken", "late"}


@pytest.mark.parametrize("mood", MOODS)
async def test_a_mood_lets_the_client_fail_and_only_some_take_the_mail(mood: Mood) -> None:
    async with Relay(random.Random(1), late=0.5) as relay:
        await relay.behave(mood)
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=relay.port, timeout=0.25)
        if mood == "well":
            await hand_over(client)
        else:
            with pytest.raises((aiosmtplib.SMTPException, OSError)):
                await hand_over(client)
        assert dict(relay.accepted) == ({"abc": 1} if mood in TAKEN else {})


async def test_one_that_refused_listens_again_at_the_same_port() -> None:
    async with Relay(random.Random(1), late=0.5) as relay:
        port = relay.port
        await relay.behave("refusing")
        await relay.behave("well")
        await hand_over(aiosmtplib.SMTP(hostname="127.0.0.1", port=port, timeout=5))
        assert relay.accepted == {"abc": 1}


async def test_one_that_refuses_answers_what_it_is_amid_of_and_nothing_after() -> None:
    async with Relay(random.Random(1), late=0.5) as relay:
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        for line in (b"EHLO x", b"MAIL FROM:<us@mail.example>", b"RCPT TO:<them@mail.example>", b"DATA"):
            writer.write(line + b"\r\n")
        await reader.readuntil(b"<CR><LF>.<CR><LF>\r\n")
        await relay.behave("refusing")
        writer.write(MAIL + b".\r\n")
        await reader.readuntil(b"250 OK\r\n")
        assert relay.accepted == {"abc": 1}
        writer.write(b"MAIL FROM:<us@mail.example>\r\n")
        await reader.readuntil(b"250 OK\r\n")
        writer.write(b"RCPT TO:<them@mail.example>\r\n")
        assert await reader.read() == b""
        writer.close()


async def test_a_share_suffers() -> None:
    async with Relay(random.Random(1), late=0.5) as relay:
        await relay.behave("deferring", 0.5)
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=relay.port, timeout=5)
        refused = 0
        for _ in range(20):
            try:
                await hand_over(client)
            except aiosmtplib.SMTPRecipientsRefused:
                refused += 1
        assert 0 < refused < 20
        assert relay.accepted == {"abc": 20 - refused}
        assert relay.suffered == {"deferring": refused}


async def hand_over(client: aiosmtplib.SMTP) -> None:
    async with client:
        await client.sendmail("us@mail.example", ["them@mail.example"], MAIL)
