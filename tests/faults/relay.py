"""An SMTP server that records each mail at the moment it takes it over, and misbehaves on demand.

`relay.accepted` counts what was taken by the local part of the Message-ID (`app.delivery.message.local_part` of the
dedup key): each is a hand-over, whether or not the client has heard of it. `relay.behave(mood, share)` makes that share
of the messages (or connections) suffer; `relay.behave("well")` ends it. Moods:

    well               as it should
    refusing           nobody listens at the port, and connections are cut, but not amid a message's content
    silent greeting    never greets; connections are cut as if refusing, or nobody would have to make a new one
    silent recipient   never answers RCPT
    silent data        never answers DATA
    cut data           breaks the connection at DATA
    cut content        breaks the connection after the content, which it has not taken
    cut taken          takes the mail over and breaks the connection instead of saying so
    late               takes the mail over and says so when the client has long given up
    deferring          451 to the recipient
    deferring content  451 to the content

`relay.suffered` counts who did, by mood, but for `refusing`: of connections that nobody takes nobody here hears.
`relay.unsure` is how many of them nobody but the relay can know the fate of.
"""

import asyncio
import random
from collections import Counter
from email import policy
from email.parser import BytesHeaderParser
from types import TracebackType
from typing import Any, Literal, Self, get_args

from aiosmtpd.smtp import SMTP, Envelope, Session

HOST = "127.0.0.1"
Mood = Literal[
    "well",
    "refusing",
    "silent greeting",
    "silent recipient",
    "silent data",
    "cut data",
    "cut content",
    "cut taken",
    "late",
    "deferring",
    "deferring content",
]
MOODS: tuple[Mood, ...] = get_args(Mood)
UNSURE: tuple[Mood, ...] = ("cut content", "cut taken", "late")
"""After these nobody can know whether a mail was taken over."""


class Relay:
    """Listens while the context lasts; `chance` says which messages suffer; `late` is in seconds."""

    def __init__(self, chance: random.Random, late: float) -> None:
        self.accepted: Counter[str] = Counter()
        self.suffered: Counter[str] = Counter()
        self.port = 0
        self.late = late
        self._chance = chance
        self._mood: Mood = "well"
        self._share = 1.0
        self._server: asyncio.Server | None = None
        self._sessions: set[_Session] = set()

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._silence(amid_content=True)

    async def behave(self, mood: Mood, share: float = 1.0) -> None:
        """Be in that mood from now on."""
        self._mood, self._share = mood, share
        if mood == "refusing":
            self._silence(amid_content=False)
        elif self._server is None:
            await self._listen()
        if mood == "silent greeting":
            self._hang_up(amid_content=False)

    @property
    def unsure(self) -> int:
        """How many messages were given no answer that says what became of them."""
        return sum(self.suffered[mood] for mood in UNSURE)

    def suffers(self, *moods: Mood) -> bool:
        """Tell whether the message at hand is one of those that suffer, and count it."""
        if self._mood not in moods or self._chance.random() >= self._share:
            return False
        self.suffered[self._mood] += 1
        return True

    def take(self, content: bytes) -> None:
        """Take a mail over."""
        headers = BytesHeaderParser(policy=policy.compat32).parsebytes(content)
        self.accepted[str(headers["Message-ID"]).strip().strip("<>").partition("@")[0]] += 1

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Session(self, self._sessions, loop), HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def refuses(self) -> bool:
        """Whether nobody is at home."""
        return self._server is None

    def _silence(self, *, amid_content: bool) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        self._hang_up(amid_content=amid_content)

    def _hang_up(self, *, amid_content: bool) -> None:
        for session in list(self._sessions):
            if amid_content or not session.amid_content:
                session.cut()


class _Session(SMTP):  # type: ignore[misc] # aiosmtpd has no types
    """One connection; it is its own handler."""

    def __init__(self, relay: Relay, sessions: "set[_Session]", loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(self, hostname="relay", loop=loop)
        self._relay = relay
        self._sessions = sessions
        self.amid_content = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._sessions.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._sessions.discard(self)

    def cut(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    async def _handle_client(self) -> None:
        if self._relay.suffers("silent greeting"):
            await self._silent()
        await super()._handle_client()

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd finds it by this name
        if self._relay.suffers("silent data"):
            await self._silent()
        if self._relay.suffers("cut data"):
            await self._cut()
        self.amid_content = True
        await super().smtp_DATA(arg)
        self.amid_content = False

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self._relay.refuses:
            await self._cut()
        if self._relay.suffers("silent recipient"):
            await self._silent()
        if self._relay.suffers("deferring"):
            return "451 4.3.0 later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self._relay.suffers("deferring content"):
            return "451 4.3.0 later"
        if self._relay.suffers("cut content"):
            await self._cut()
        cut, late = self._relay.suffers("cut taken"), self._relay.suffers("late")
        self._relay.take(bytes(envelope.content or b""))
        if cut:
            await self._cut()
        if late:
            await asyncio.sleep(self._relay.late)
        return "250 OK"

    async def _cut(self) -> None:
        self.cut()
        await self._silent()

    async def _silent(self) -> None:
        await asyncio.Event().wait()  # until the connection's end takes this task along
