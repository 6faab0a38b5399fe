"""A sender killed, and one that stands still while another takes over, at every point of its work."""

import asyncio
import threading
from collections.abc import AsyncIterator

import aiosmtplib.smtp
import pytest

from app.contract.instants import HOUR, MINUTE, format_instant
from app.delivery import pump
from app.delivery.message import message_id
from app.dev.mailbox import Mailbox
from app.dev.previews import a_notification
from app.engine import lane as engine
from tests.engine.world import Crash, ExpelledError, FencedError
from tests.failpoints import BATCH, OPENING, REVOKE, SENDER, TIME
from tests.seams import SeamedProtocol
from tests.unit.delivery.postroom import NOW, Once, Postroom
from tests.unit.delivery.test_returns import answer

REFENCE = "refence-known"
TRIGGERS_OWN = {"slice-committed"}
"""The sender has no ticks."""
POINTS = [
    point.name
    for point in (*OPENING, *BATCH, *TIME, *REVOKE, *SENDER)
    if point.in_memory and point.name not in TRIGGERS_OWN
]
DOUBTFUL = {"attempting-appended", "attempting-durable", "content-asked", "content-half", "content-sent", "reply-read"}
"""From here on `attempting` may be in the journal, and the relay's answer is not."""
REFUSED, STALE = "refused@mail.example", "stale@mail.example"
SECONDS = 10.0

AT_EASE = a_notification(number=1)
NOTIFICATIONS = (
    AT_EASE,
    a_notification(number=2, address=REFUSED),
    a_notification(number=3, address=STALE, checked_at=format_instant(NOW - HOUR)),
)


@pytest.fixture
async def postroom(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Postroom]:
    """One to send, one that is put off, and one that must be asked about; one dialogue at a time."""
    if REFENCE in request.node.name:
        monkeypatch.setattr(engine, "REFENCE_SECONDS", -1.0)
    async with Mailbox(behaviour=Once("rcpt", "451 4.3.0 try later", REFUSED)) as mailbox:
        room = Postroom(mailbox, smtp_concurrency=1)
        room.put(*NOTIFICATIONS)
        protocol = type("Protocol", (SeamedProtocol,), {"reached": staticmethod(room.points.step)})
        monkeypatch.setattr(aiosmtplib.smtp, "SMTPProtocol", protocol)
        monkeypatch.setattr(pump, "STOP_SECONDS", 0.1)  # who ends beside a dead lane waits for nothing longer
        yield room


def settled(postroom: Postroom) -> bool:
    return sum(outcome != "deferred" for outcome in postroom.outcomes()) == len(NOTIFICATIONS)


async def live(postroom: Postroom) -> None:
    """Run a worker until nothing is to be done before time goes on, or the triggers app has answered; let both be."""
    asked, put_off = len(postroom.asked()), postroom.outcomes().count("deferred")

    def waits() -> bool:
        # A question is asked without a dialogue: whoever is in one by then shall have his answer written down.
        answered = len(postroom.outcomes()) >= len(NOTIFICATIONS) - 1
        return (len(postroom.asked()) > asked and answered) or postroom.outcomes().count("deferred") > put_off

    async with postroom.process() as running:
        await postroom.until(lambda: running.done() or settled(postroom) or waits(), SECONDS)
        if running.done():
            await running


def go_on(postroom: Postroom) -> None:
    """Let time pass, and every question be answered."""
    postroom.now += MINUTE
    answered = len(postroom.outbox) - len(NOTIFICATIONS)
    postroom.put(*(answer(asked, postroom.now) for asked in postroom.asked()[answered:]))


async def live_on(postroom: Postroom) -> None:
    while not settled(postroom):
        await live(postroom)
        go_on(postroom)


def wrongs(postroom: Postroom) -> list[str]:
    """Return what is lost, doubled, or reported as it was not; an outcome that is unknown is none of these."""
    arrived = postroom.mailbox.ids
    words: dict[str, list[str]] = {message_id(each): [] for each in NOTIFICATIONS}
    for delivery in postroom.deliveries():
        if delivery.outcome != "deferred" and delivery.message_id is not None:
            words[delivery.message_id].append(delivery.outcome)
    return [
        *(f"{name} came {count} times" for name, count in arrived.items() if count > 1),
        *(f"{name} has as its last words {said}" for name, said in words.items() if len(said) != 1),
        *(
            f"{name} is accepted and did not come"
            for name, said in words.items()
            if "accepted" in said and not arrived[name]
        ),
    ]


def unknown(postroom: Postroom) -> int:
    return postroom.outcomes().count("unknown_outcome")


@pytest.mark.parametrize("point", POINTS)
async def test_killed_there_no_mail_is_lost_or_doubled(postroom: Postroom, point: str) -> None:
    postroom.points.name, postroom.points.at = point, 1
    with pytest.raises(Crash):
        await live_on(postroom)
    go_on(postroom)
    await live_on(postroom)
    assert wrongs(postroom) == []
    assert unknown(postroom) == (1 if point in DOUBTFUL else 0)
    if point in {"row-waiting", "smtp-connected", "smtp-addressed"}:
        assert postroom.mailbox.total == len(NOTIFICATIONS)


@pytest.mark.parametrize("point", POINTS)
async def test_standing_still_there_while_another_takes_over_it_doubles_nothing(postroom: Postroom, point: str) -> None:
    stood, may_go_on = threading.Event(), threading.Event()

    def stand_still(_name: str) -> None:
        stood.set()
        may_go_on.wait(SECONDS)

    postroom.points.name, postroom.points.at, postroom.points.then = point, 1, stand_still
    other_thread = asyncio.to_thread(lambda: asyncio.run(live_as_long_as_it_may(postroom)))
    old = asyncio.create_task(other_thread)
    assert await asyncio.to_thread(stood.wait, SECONDS)
    other = postroom.successor()
    try:
        go_on(other)
        await live_on(other)
    finally:
        may_go_on.set()
        await old
    assert wrongs(other) == []
    assert unknown(other) == (1 if point in DOUBTFUL else 0)


async def live_as_long_as_it_may(postroom: Postroom) -> None:
    try:
        await live_on(postroom)
    except (FencedError, ExpelledError):
        return


async def test_every_point_is_come_by(postroom: Postroom) -> None:
    await live_on(postroom)
    assert set(postroom.points.steps) | {REFENCE} == set(POINTS)
