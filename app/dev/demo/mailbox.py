"""What the demo asks of the mailbox, which runs as a process of its own."""

import asyncio
from typing import Final

import aiohttp
import orjson

from app.errors import WhimbrelError

READY_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.05


class MailboxAwayError(WhimbrelError):
    """The mailbox does not answer."""


async def await_page(page: str) -> None:
    """Return once the page answers. Raises MailboxAwayError after READY_SECONDS."""
    async with aiohttp.ClientSession() as session:
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not await _answers(session, page):  # noqa: ASYNC110 - a process that starts sends no event
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError as error:
            raise MailboxAwayError(f"no mailbox at {page} for {READY_SECONDS:.0f} s") from error


async def message_ids(page: str) -> dict[str, int]:
    """Return how often each Message-ID was handed over."""
    async with aiohttp.ClientSession() as session:
        try:
            async with session.get(f"{page}api/ids") as answer:
                ids: dict[str, int] = orjson.loads(await answer.read())
        except aiohttp.ClientError as error:
            raise MailboxAwayError(f"the mailbox at {page} does not answer: {error}") from error
    return ids


async def _answers(session: aiohttp.ClientSession, page: str) -> bool:
    try:
        async with session.get(f"{page}api/ids") as answer:
            return answer.status == 200  # noqa: PLR2004 - OK
    except aiohttp.ClientError:
        return False
