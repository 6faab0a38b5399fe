"""The sender killed or stopped as it works, and what its next owner does."""

import asyncio

import pytest

from app.contract.instants import DAY, format_instant
from app.dev.mailbox import SILENT
from app.dev.previews import a_notification
from tests.unit.delivery.postroom import Once, Postroom, some_notifications

FINAL = {"accepted", "unknown_outcome"}
STEPS = 90
"""About as many as while two notifications are delivered."""


@pytest.mark.parametrize("kill_at", range(1, STEPS))
async def test_killed_at_any_step_no_mail_is_doubled_and_none_unaccounted_for(postroom: Postroom, kill_at: int) -> None:
    postroom.put(*some_notifications(2))
    postroom.points.at = kill_at

    def settled() -> bool:
        return sum(outcome in FINAL for outcome in postroom.outcomes()) == 2

    while not settled():
        await postroom.run_until(settled)
    assert max(postroom.mailbox.ids.values(), default=0) <= 1
    accepted = [each.message_id for each in postroom.deliveries() if each.outcome == "accepted"]
    assert set(accepted) <= set(postroom.mailbox.ids), "what is accepted has arrived"


async def test_killed_before_attempting_is_durable_it_is_sent_by_the_next_owner(postroom: Postroom) -> None:
    postroom.put(a_notification())
    postroom.points.name, postroom.points.at = "smtp-addressed", 1
    assert await postroom.run_until(lambda: False)
    assert postroom.mailbox.total == 0
    await postroom.deliver("accepted")
    assert postroom.mailbox.total == 1


async def test_killed_while_attempting_the_outcome_is_unknown_and_nothing_sent_again(postroom: Postroom) -> None:
    postroom.mailbox.behaviour = silent = Once("message", SILENT)
    postroom.put(a_notification())
    async with postroom.process() as running:
        await silent.done.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await postroom.kill()
    await postroom.deliver("unknown_outcome")
    postroom.now += DAY
    postroom.put(a_notification(number=2, checked_at=format_instant(postroom.now)))
    await postroom.deliver("unknown_outcome", "accepted")
    assert postroom.mailbox.total == 1


async def test_a_stop_waits_for_the_answer_to_a_message_under_way(postroom: Postroom) -> None:
    postroom.put(*some_notifications(20))
    async with postroom.process():
        await postroom.mailbox.wait_for(lambda box: box.total >= 1)
    assert postroom.outcomes().count("accepted") == postroom.mailbox.total
    await postroom.deliver(*["accepted"] * 20)
    assert sorted(postroom.mailbox.ids.values()) == [1] * 20
