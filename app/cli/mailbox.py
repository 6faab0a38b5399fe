"""`whimbrel dev mailbox`: an SMTP server with a page that shows what arrives."""

import asyncio
import signal
from typing import Annotated

import typer

from app.dev.mailbox import HOST, Mailbox
from app.dev.mailbox_page import MailboxPage


def mailbox(
    smtp_port: Annotated[int, typer.Option(help="Where mails are handed over. If taken, another one is.")] = 2525,
    http_port: Annotated[int, typer.Option(help="Where the page is. If taken, another one is.")] = 8025,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = HOST,
) -> None:
    """Run a mailbox until Ctrl-C: it takes every mail, shows it, and passes none on."""
    asyncio.run(_serve(host, smtp_port, http_port))


async def _serve(host: str, smtp_port: int, http_port: int) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with Mailbox(smtp_port, host=host) as box, MailboxPage(box, http_port) as page:
        for name, wanted, got in (("SMTP", smtp_port, box.port), ("page", http_port, page.port)):
            if wanted not in {0, got}:
                print(f"port {wanted} is taken: {name} uses {got}")
        print(f"mailbox: SMTP at {host}:{box.port}, page at {page.url}; Ctrl-C ends it", flush=True)
        await ended.wait()
