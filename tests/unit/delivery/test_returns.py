"""The sender and what is too old to hand over: given back, answered, delivered once or withdrawn."""

import logging
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from app import metrics
from app.contract.instants import DAY, HOUR, MINUTE, Instant, format_instant
from app.delivery import attempts
from app.delivery.attempts import Attempt
from app.dev.mailbox import Step
from app.dev.previews import a_notification
from app.engine.memory import MemoryStore
from app.engine.outbox import Notification
from app.engine.txn import Txn
from tests.engine.world import Crash
from tests.unit.delivery.postroom import NOW, Postroom

FRESHNESS = 15 * MINUTE


def stale(*, number: int = 1, age: int = HOUR, **changes: Any) -> Notification:
    said = {"decided_at": format_instant(NOW - age), "checked_at": format_instant(NOW - age)}
    return a_notification(number=number, **(said | changes))


def answer(to: Notification, at: Instant, *, withdrawn: bool = False) -> Notification:
    return replace(to, checked_at=format_instant(at), round=to.round + 1, withdrawn=withdrawn)


async def give_back(postroom: Postroom, count: int = 1) -> Notification:
    """Run a worker until so many have been given back; return the last."""
    async with postroom.process():
        await postroom.until(lambda: len(postroom.returned()) >= count)
    assert len(postroom.returned()) == count
    return postroom.returned()[-1]


async def test_what_is_stale_goes_back_as_it_is_and_no_relay_is_asked(postroom: Postroom) -> None:
    notification = stale()
    postroom.put(notification)
    assert await give_back(postroom) == notification
    assert (postroom.outcomes(), postroom.mailbox.connections) == ([], 0)


async def test_fifteen_minutes_old_it_is_fresh_and_a_microsecond_more_it_is_stale(postroom: Postroom) -> None:
    postroom.put(stale(number=1, age=FRESHNESS), stale(number=2, age=FRESHNESS + 1))
    async with postroom.process():
        await postroom.until(lambda: postroom.outcomes() == ["accepted"] and postroom.returned())
    assert [each.subject for each in postroom.returned()] == ["invoice:2"]


async def test_answered_that_it_holds_it_is_sent_once(postroom: Postroom) -> None:
    postroom.put(stale())
    back = await give_back(postroom)
    postroom.put(answer(back, postroom.now))
    await postroom.deliver("accepted")
    (delivery,) = postroom.deliveries()
    assert (delivery.dedup_key, delivery.attempts) == (back.dedup_key, 1)
    assert postroom.mailbox.total == 1


async def test_withdrawn_it_is_reported_so_and_never_sent(postroom: Postroom) -> None:
    postroom.put(stale())
    back = await give_back(postroom)
    gone = answer(back, postroom.now, withdrawn=True)
    postroom.put(gone, gone, answer(gone, postroom.now), a_notification(number=2))
    await postroom.deliver("withdrawn", "accepted")
    (delivery,) = [each for each in postroom.deliveries() if each.outcome == "withdrawn"]
    assert (delivery.reason, delivery.attempts, delivery.recipient) == ("no longer true", 0, "c1")
    assert [mail.recipients for mail in postroom.mailbox.messages] == [("ann.miller@mail.example",)]
    assert len(postroom.returned()) == 1


async def test_a_deferred_notification_is_checked_before_it_is_tried_again(postroom: Postroom) -> None:
    postroom.mailbox.behaviour = lambda step, _: "451 later" if step == "mail" else None
    postroom.put(stale(age=FRESHNESS - MINUTE))
    await postroom.deliver("deferred")
    postroom.mailbox.behaviour = None
    postroom.now += 2 * MINUTE
    back = await give_back(postroom)
    postroom.put(answer(back, postroom.now))
    await postroom.deliver("deferred", "accepted")
    assert postroom.deliveries()[-1].attempts == 2


async def test_what_grows_stale_while_the_relay_lets_it_wait_goes_back(postroom: Postroom) -> None:
    def slow(step: Step, _address: str) -> None:
        if step == "rcpt":
            postroom.now += HOUR

    postroom.mailbox.behaviour = slow
    postroom.put(stale(age=0))
    await give_back(postroom)
    assert postroom.mailbox.total == 0


async def test_lower_and_equal_rounds_are_repeats(postroom: Postroom) -> None:
    first = stale()
    postroom.put(first)
    second = answer(await give_back(postroom), postroom.now - HOUR)
    postroom.put(second)
    assert await give_back(postroom, 2) == second
    postroom.put(first, second, answer(first, postroom.now), answer(first, postroom.now, withdrawn=True))
    async with postroom.process():
        await postroom.until(lambda: not postroom.unread())
    assert (postroom.outcomes(), len(postroom.returned())) == ([], 2)
    third = answer(second, postroom.now)
    postroom.put(third, third, second)
    await postroom.deliver("accepted")
    postroom.put(third, answer(third, postroom.now), a_notification(number=2))
    await postroom.deliver("accepted", "accepted")
    assert postroom.dead_letters() == []


async def test_more_than_three_rounds_without_an_attempt_raise_an_alarm_and_get_further_apart(
    postroom: Postroom, caplog: pytest.LogCaptureFixture
) -> None:
    before = metrics.ROUNDS._value.get()
    postroom.put(stale())
    for count in (1, 2, 3):
        back = await give_back(postroom, count)
        postroom.put(answer(back, postroom.now - HOUR))
    async with postroom.process():
        await postroom.until(lambda: not postroom.unread())
    assert len(postroom.returned()) == 3, "the fourth question waits for a minute"
    assert not caplog.records
    postroom.now += MINUTE
    await give_back(postroom, 4)
    assert metrics.ROUNDS._value.get() == before + 1
    (said,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert said.startswith("given back 4 times without an attempt: <")
    assert "ann.miller" not in caplog.text


async def test_an_attempt_begins_the_count_of_rounds_anew(postroom: Postroom) -> None:
    before = metrics.ROUNDS._value.get()
    postroom.put(stale())
    for count in (1, 2, 3):
        back = await give_back(postroom, count)
        postroom.put(answer(back, postroom.now - (HOUR if count < 3 else 0)))
    postroom.mailbox.behaviour = lambda step, _: "451 later" if step == "rcpt" else None
    await postroom.deliver("deferred")
    postroom.now += HOUR
    await give_back(postroom, 4)
    assert metrics.ROUNDS._value.get() == before


async def test_without_an_answer_it_expires_three_days_after_the_decision(postroom: Postroom) -> None:
    postroom.put(stale())
    back = await give_back(postroom)
    postroom.now += 3 * DAY
    await postroom.deliver("expired")
    assert postroom.deliveries()[0].reason == "no answer whether it still holds"
    postroom.put(answer(back, postroom.now), a_notification(number=2, checked_at=format_instant(postroom.now)))
    await postroom.deliver("expired", "expired")  # the other one's own decision is three days old
    assert postroom.mailbox.total == 0


async def test_a_played_historys_notification_never_goes_back(postroom: Postroom) -> None:
    postroom.put(stale(fresh=True, age=2 * DAY))
    await postroom.deliver("accepted")
    assert postroom.returned() == []


async def test_what_is_not_to_be_delivered_anyway_is_not_asked_about(postroom: Postroom) -> None:
    postroom.put(stale(number=1, age=4 * DAY))
    await postroom.deliver("expired")
    postroom.delivery = "off"
    postroom.put(stale(number=2))
    await postroom.deliver("expired", "suppressed")
    assert postroom.returned() == []


async def test_an_answer_to_an_unknown_question_counts(postroom: Postroom) -> None:
    """The sender's table was made anew."""
    postroom.put(answer(stale(number=1), NOW), answer(stale(number=2), NOW, withdrawn=True))
    await postroom.deliver("accepted", "withdrawn")
    assert postroom.mailbox.total == 1


STEPS = 120
"""About as many as while two notifications go back and are answered."""


@pytest.mark.parametrize("kill_at", range(1, STEPS))
async def test_killed_anywhere_between_question_and_answer_nothing_is_lost_or_doubled(
    postroom: Postroom, kill_at: int
) -> None:
    postroom.put(stale(number=1), stale(number=2))
    postroom.points.at = kill_at
    triggers = Triggers(postroom)

    def done() -> bool:
        outcomes = postroom.outcomes()
        return "withdrawn" in outcomes and bool({"accepted", "unknown_outcome"} & set(outcomes))

    while not done():
        await triggers.run_sender(done)
    assert len(postroom.outcomes()) == 2
    assert postroom.mailbox.total <= 1
    assert {each.dedup_key.split("|")[2] for each in postroom.deliveries()} == {"invoice:1", "invoice:2"}
    if "accepted" in postroom.outcomes():
        assert postroom.mailbox.total == 1


class Triggers:
    """Answers each question as often as it was asked: the first notification holds, the second does not."""

    def __init__(self, postroom: Postroom) -> None:
        self._postroom = postroom
        self._answered = 0

    async def run_sender(self, done: Any) -> None:
        """Run a worker until it is killed, has asked, or is done; then answer."""
        postroom = self._postroom
        try:
            async with postroom.process() as running:
                await postroom.until(lambda: running.done() or done() or len(postroom.asked()) > self._answered)
                if running.done():
                    await running
        except Crash:
            pass
        for asked in postroom.asked()[self._answered :]:
            postroom.put(answer(asked, postroom.now, withdrawn=asked.subject == "invoice:2"))
            self._answered += 1


def test_a_row_written_before_there_were_rounds_is_read() -> None:
    store = MemoryStore(attempts.index)
    key = attempts.row_key("k")
    store.write({key: msgspec.msgpack.encode((1, "waiting", 1, 2, 3, b"n"))}, 0)
    assert attempts.read(Txn(store), key) == Attempt(1, "waiting", 1, 2, 3, b"n", 0)
