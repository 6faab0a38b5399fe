"""What keeps mails from being lost, doubled or untrue, each with what comes where it is switched off.

As tests/engine/test_repairs.py: `on` nothing is found, `off` what the repair is there for. The list is in
docs/testing.md.
"""

from collections.abc import AsyncIterator

import aiosmtplib.smtp
import pytest

from app.contract.instants import DAY, HOUR, format_instant
from app.delivery import attempts, returns
from app.delivery.attempts import Attempt
from app.delivery.pump import Pump
from app.dev.mailbox import Mailbox
from app.dev.previews import a_notification
from app.engine.outbox import Notification, encode
from app.engine.txn import Txn
from tests.seams import SeamedProtocol
from tests.switched import both
from tests.unit.delivery.postroom import NOW, Postroom
from tests.unit.delivery.test_returns import answer


@pytest.fixture
async def postroom(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Postroom]:
    async with Mailbox() as mailbox:
        room = Postroom(mailbox)
        protocol = type("Protocol", (SeamedProtocol,), {"reached": staticmethod(room.points.step)})
        monkeypatch.setattr(aiosmtplib.smtp, "SMTPProtocol", protocol)
        yield room


async def killed(postroom: Postroom, point: str) -> None:
    """Run a worker until it is killed there."""
    postroom.points.name, postroom.points.at = point, 1
    assert await postroom.run_until(lambda: False)
    postroom.points.at = None


@both
async def test_attempting_is_durable_before_the_content_leaves(
    postroom: Postroom, monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    if not on:

        async def at_once(self: Pump, key: bytes, attempt: Attempt, notification: Notification) -> bool:
            return True

        monkeypatch.setattr(Pump, "_attempting", at_once)
    postroom.put(a_notification())
    await killed(postroom, "content-sent")
    await postroom.mailbox.wait_for(lambda box: box.total == 1)
    await postroom.deliver("unknown_outcome" if on else "accepted")
    assert (postroom.mailbox.total == 1) is on, "off, the next owner sends it again"


@both
async def test_what_was_attempted_without_an_answer_is_reported(
    postroom: Postroom, monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    if not on:
        monkeypatch.setattr(attempts, "in_doubt", lambda txn: [])
    postroom.put(a_notification())
    await killed(postroom, "content-half")
    async with postroom.process():
        postroom.put(a_notification(number=2))
    async with postroom.process():
        await postroom.until(lambda: "accepted" in postroom.outcomes())
    assert ("unknown_outcome" in postroom.outcomes()) is on, "off, nobody ever hears of it"


@both
async def test_what_is_no_longer_true_is_not_sent(
    postroom: Postroom, monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    """Paid while it waited: whoever is asked says so."""
    if not on:
        monkeypatch.setattr(returns, "is_stale", lambda notification, now, freshness: False)
    postroom.put(a_notification(checked_at=format_instant(NOW - HOUR)))
    async with postroom.process():
        await postroom.until(lambda: postroom.asked() or postroom.outcomes())
    postroom.put(*(answer(asked, postroom.now, withdrawn=True) for asked in postroom.asked()))
    await postroom.deliver("withdrawn" if on else "accepted")
    assert (postroom.mailbox.total == 0) is on


@both
async def test_an_output_sent_again_is_known_by_its_id_when_its_row_is_gone(
    postroom: Postroom, monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    """An hour, or a year later: whoever restores an old journal sends its last outputs once more."""
    if not on:
        monkeypatch.setattr(attempts, "is_repeat", lambda txn, output_id: False)
    notification = a_notification(fresh=True)
    postroom.put_value(encode(notification), "i/0/7/0")
    await postroom.deliver("accepted")
    postroom.now += attempts.KEEP_DONE + DAY
    async with postroom.process():
        await postroom.until(lambda: not postroom.store.scan(b"attempt/"))
    postroom.put_value(encode(notification), "i/0/7/0")
    postroom.put_value(encode(a_notification(number=2, fresh=True)), "i/0/8/0")
    await postroom.deliver(*["accepted"] * (2 if on else 3))
    assert (max(postroom.mailbox.ids.values()) == 1) is on


@both
async def test_a_dedup_key_is_sent_once_under_whatever_id(
    postroom: Postroom, monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    """A journal made anew gives other ids to what it decides again."""
    if not on:
        read = attempts.read

        def forgetful(txn: Txn, key: bytes) -> Attempt | None:
            row = read(txn, key)
            return None if row is not None and row.state == "done" else row

        monkeypatch.setattr(attempts, "read", forgetful)
    postroom.put_value(encode(a_notification()), "old/0/7/0")
    await postroom.deliver("accepted")
    postroom.put_value(encode(a_notification()), "new/0/2/0")
    postroom.put(a_notification(number=2))
    await postroom.deliver(*["accepted"] * (2 if on else 3))
    assert (max(postroom.mailbox.ids.values()) == 1) is on
