"""Pictures of web pages in files, taken by a Chromium of our own over its DevTools protocol."""

import asyncio
import base64
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp

from app.dev.process import Process
from app.errors import WhimbrelError

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)
START_SECONDS: Final = 60.0
ANSWER_SECONDS: Final = 30.0
PHONE: Final = 480
"""A width up to this, in CSS pixels, is a phone's."""
_LOOK_SECONDS: Final = 0.1
_ANY_HEIGHT: Final = 600


class PictureError(WhimbrelError):
    """No picture could be taken."""


class Picture(NamedTuple):
    """A whole page as PNG; `overflow`: by how many CSS pixels it is wider than the screen."""

    png: bytes
    overflow: int


class Camera:
    """A browser's only tab."""

    def __init__(self, tab: aiohttp.ClientWebSocketResponse) -> None:
        """Take over the tab's connection."""
        self._tab = tab
        self._numbers = count(1)
        self._events: set[str] = set()

    async def take(self, address: str, width: int) -> Picture:
        """Load the page (file:///...) and return all of it, on a screen of `width` CSS pixels. Raises PictureError."""
        await self._screen(width, _ANY_HEIGHT)
        await self._ask("Page.enable")
        self._events.clear()
        await self._ask("Page.navigate", url=address)
        await self._event("Page.loadEventFired")
        size = (await self._ask("Page.getLayoutMetrics"))["cssContentSize"]
        await self._screen(width, int(size["height"]))
        shot = await self._ask("Page.captureScreenshot", format="png")
        return Picture(base64.b64decode(shot["data"]), max(0, int(size["width"]) - width))

    async def _screen(self, width: int, height: int) -> None:
        phone = width <= PHONE
        await self._ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone
        )

    async def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._tab.send_json({"id": number, "method": method, "params": parameters})
        while True:
            said = await self._said()
            if said.get("id") != number:
                continue
            if "error" in said:
                raise PictureError(f"{method}: {said['error'].get('message', 'refused')}")
            answer: dict[str, Any] = said["result"]
            return answer

    async def _event(self, name: str) -> None:
        while name not in self._events:
            await self._said()

    async def _said(self) -> dict[str, Any]:
        try:
            said: dict[str, Any] = await self._tab.receive_json(timeout=ANSWER_SECONDS)
        except (TimeoutError, TypeError, ValueError):  # a closing connection's message is no text
            raise PictureError("the browser no longer answers") from None
        if "method" in said:  # an event may come before the answer to what caused it
            self._events.add(said["method"])
        return said


@asynccontextmanager
async def camera() -> AsyncIterator[Camera]:
    """Run a Chromium with nothing of the user's, on a profile that is removed afterwards. Raises PictureError."""
    command = next((found for found in map(shutil.which, NAMES) if found), None)
    if command is None:
        raise PictureError("there is no Chromium here: apt-get install chromium")
    with tempfile.TemporaryDirectory(prefix="whimbrel-chromium-", ignore_cleanup_errors=True) as scratch:
        profile = Path(scratch)
        with Process(
            [command, *FLAGS, f"--user-data-dir={profile}", "about:blank"], log=profile / "log", grace=5.0
        ) as browser:
            port = await _port(browser, profile / "DevToolsActivePort")
            async with (
                aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
                session.put("/json/new?about:blank") as made,
            ):
                address = (await made.json())["webSocketDebuggerUrl"]
                async with session.ws_connect(address, max_msg_size=0) as tab:
                    yield Camera(tab)


async def _port(browser: Process, told: Path) -> int:
    """Wait until the browser has written down where it listens."""
    deadline = time.monotonic() + START_SECONDS
    while browser.running and time.monotonic() < deadline:
        port = _first_of_two_lines(told)
        if port is not None:
            return int(port)
        await asyncio.sleep(_LOOK_SECONDS)
    raise PictureError("Chromium does not start")


def _first_of_two_lines(file: Path) -> str | None:
    lines = file.read_text().split() if file.exists() else []
    return lines[0] if len(lines) > 1 else None
