"""The mailbox as a page: what has arrived, newest first, as a mail client would show it."""

import errno
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import orjson
from aiohttp import web

from app.contract.instants import format_instant
from app.dev.mailbox import Mail, Mailbox

PAGE: Final = Path(__file__).parent / "pages" / "mailbox.html"
MOST: Final = 200
"""Mails an answer."""
UNTRUSTED: Final = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'"


class MailboxPage:
    """A web server over a mailbox, at its host, while the context lasts. A port that is taken yields to a free one."""

    def __init__(self, mailbox: Mailbox, port: int = 0) -> None:
        """Serve at `port` (0: any free one) once entered."""
        self.port = port
        self._mailbox = mailbox
        app = web.Application()
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/api/messages", self._list),
                web.get("/api/ids", self._ids),
                web.get(r"/messages/{number:\d+}/{view:html|text|source}", self._message),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://{self._mailbox.host}:{self.port}/"

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._mailbox.host, self.port).start()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            await web.TCPSite(self._runner, self._mailbox.host, 0).start()
        self.port = self._runner.addresses[-1][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _page(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(PAGE)

    async def _list(self, request: web.Request) -> web.Response:
        """Newest first: those after number `after`, before `before`, with `q` in subject or recipient."""
        after = _number(request, "after", 0)
        before = _number(request, "before", self._mailbox.total + 1)
        wanted = request.query.get("q", "").lower()
        found: list[dict[str, Any]] = []
        for mail in reversed(self._mailbox.messages):
            if mail.number <= after or len(found) == MOST:
                break
            if mail.number < before and wanted in _searched(mail):
                found.append(_summary(mail))
        return _json({"total": self._mailbox.total, "doubled": len(list(self._mailbox.doubled())), "messages": found})

    async def _ids(self, _request: web.Request) -> web.Response:
        """How often each Message-ID was handed over."""
        return _json(dict(self._mailbox.ids))

    async def _message(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        mail = next((each for each in reversed(self._mailbox.messages) if each.number == number), None)
        if mail is None:
            raise web.HTTPNotFound(text="there is no such mail, or it was given up for newer ones")
        match request.match_info["view"]:
            case "html":
                answer = web.Response(text=mail.html or "This mail has no HTML part.", content_type="text/html")
            case "text":
                answer = web.Response(text=mail.text, content_type="text/plain")
            case _:
                answer = web.Response(body=mail.content, content_type="text/plain", charset="utf-8")
        answer.headers["Content-Security-Policy"] = UNTRUSTED
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer


def _json(value: Any) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")


def _searched(mail: Mail) -> str:
    return " ".join((mail.subject, mail.shown_to, *mail.recipients)).lower()


def _summary(mail: Mail) -> dict[str, Any]:
    return {
        "number": mail.number,
        "received": format_instant(mail.received),
        "date": mail.date,
        "from": mail.shown_from,
        "to": mail.shown_to,
        "subject": mail.subject,
        "id": mail.id,
    }


def _number(request: web.Request, name: str, default: int) -> int:
    try:
        return int(request.query.get(name, default))
    except ValueError:
        raise web.HTTPBadRequest(text=f"{name} must be a whole number") from None
