"""The mailbox of development: what it keeps, and its page."""

import asyncio
import signal
import subprocess
import sys
from typing import Any

import aiohttp
import pytest

from app.delivery import smtp
from app.delivery.message import Envelope, build
from app.delivery.relay import Relay
from app.delivery.render import Renderer
from app.dev.mailbox import Mailbox
from app.dev.mailbox_page import MailboxPage
from app.dev.previews import a_notification
from app.settings import Settings
from app.triggers import REGISTRY


def a_mail(number: int = 1, name: str = "Ann Miller") -> Envelope:
    notification = a_notification(number=number, name=name)
    rendered = Renderer().render(notification, REGISTRY[notification.trigger].variables)
    return build(notification, rendered, 0)


async def yes() -> bool:
    return True


async def send(port: int, *envelopes: Envelope) -> None:
    relay = Relay(Settings(smtp_port=port))
    for envelope in envelopes:
        assert await relay.hand_over(envelope, yes) == smtp.Accepted()
    await relay.close()


async def get(page: MailboxPage, path: str) -> Any:
    async with aiohttp.ClientSession() as session, session.get(page.url + path) as answer:
        answer.raise_for_status()
        return await answer.json() if "json" in answer.content_type else answer


async def test_it_keeps_the_newest_and_counts_all() -> None:
    async with Mailbox(keep=2) as box:
        await send(box.port, a_mail(1), a_mail(2), a_mail(3), a_mail(3))
        assert (box.total, [mail.number for mail in box.messages]) == (4, [3, 4])
        assert sorted(box.ids.values()) == [1, 1, 2]
        assert list(box.doubled()) == [box.messages[-1].id]


async def test_a_port_that_is_taken_gives_way_to_a_free_one() -> None:
    async with Mailbox() as first, Mailbox(first.port) as second:
        assert second.port != first.port
        async with MailboxPage(first) as page, MailboxPage(second, page.port) as other:
            assert other.port != page.port


async def test_the_page_lists_newest_first_and_only_what_is_new() -> None:
    async with Mailbox() as box, MailboxPage(box) as page:
        await send(box.port, a_mail(1), a_mail(2, "Zoë"), a_mail(3))
        listed = await get(page, "api/messages")
        assert [mail["number"] for mail in listed["messages"]] == [3, 2, 1]
        assert (listed["total"], listed["doubled"]) == (3, 0)
        assert [mail["number"] for mail in (await get(page, "api/messages?after=2"))["messages"]] == [3]
        assert [mail["number"] for mail in (await get(page, "api/messages?before=2"))["messages"]] == [1]
        (found,) = (await get(page, "api/messages?q=zo%C3%AB"))["messages"]
        assert found["number"] == 2
        assert set((await get(page, "api/ids")).values()) == {1}


async def test_the_page_shows_a_mail_without_letting_it_do_anything() -> None:
    async with Mailbox() as box, MailboxPage(box) as page:
        await send(box.port, a_mail())
        for view, kind in (("html", "text/html"), ("text", "text/plain"), ("source", "text/plain")):
            answer = await get(page, f"messages/1/{view}")
            assert answer.content_type == kind
            assert answer.headers["Content-Security-Policy"].startswith("sandbox")
        with pytest.raises(aiohttp.ClientResponseError):
            await get(page, "messages/2/html")
        with pytest.raises(aiohttp.ClientResponseError):
            await get(page, "api/messages?after=x")
        assert (await get(page, "")).content_type == "text/html"


async def test_waiting_ends_with_the_mail() -> None:
    async with Mailbox() as box:
        await asyncio.gather(box.wait_for(lambda box: box.total == 2), send(box.port, a_mail(1), a_mail(2)))
        with pytest.raises(TimeoutError):
            await box.wait_for(lambda box: box.total == 3, seconds=0.01)


def test_the_command_tells_where_it_listens_and_ends_at_ctrl_c() -> None:
    command = [sys.executable, "-m", "app", "dev", "mailbox", "--smtp-port", "0", "--http-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("mailbox: SMTP at 127.0.0.1:")
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
