"""The sender over the engine's lane, in front of a real SMTP server."""

import logging

import pytest

from app.contract.instants import DAY, HOUR, MINUTE, format_instant
from app.delivery import attempts
from app.delivery.message import message_id
from app.delivery.relay import Relay
from app.delivery.sender import Sender
from app.dev.mailbox import DROP, SILENT, Mailbox, Step
from app.dev.previews import a_notification
from app.engine.dead_letters import TooManyDeadLettersError
from app.engine.handler import Companion, Handler
from app.engine.outbox import encode
from tests.unit.delivery.postroom import Once, Postroom, some_notifications


async def test_a_notification_arrives_and_is_reported_accepted(postroom: Postroom) -> None:
    notification = a_notification()
    postroom.put(notification)
    await postroom.deliver("accepted")

    (mail,) = postroom.mailbox.messages
    assert (mail.sender, mail.recipients) == ("billing@acme.example", ("ann.miller@mail.example",))
    assert mail.subject == "Invoice INV-20418: $84.50 due June 15, 2026"
    (delivery,) = postroom.deliveries()
    assert delivery.message_id == mail.id == message_id(notification)
    assert (delivery.dedup_key, delivery.recipient, delivery.attempts) == (notification.dedup_key, "c1", 1)
    assert (delivery.reason, delivery.at) == (None, "2026-06-12T14:05:00Z")


async def test_the_sender_is_what_a_lane_asks_for(postroom: Postroom) -> None:
    async with postroom.process():
        assert isinstance(postroom.sender, Companion)
        handler: Handler = postroom.sender
        assert isinstance(handler, Sender)


async def test_connections_are_reused_and_transactions_never_shared(postroom: Postroom) -> None:
    postroom.put(*some_notifications(40))
    await postroom.deliver(*["accepted"] * 40)
    assert postroom.mailbox.total == 40
    assert postroom.mailbox.connections <= 4
    assert all(len(mail.recipients) == 1 for mail in postroom.mailbox.messages)
    assert len({mail.recipients for mail in postroom.mailbox.messages}) == 40


async def test_two_notifications_to_one_address_are_two_mails(postroom: Postroom) -> None:
    postroom.put(a_notification(number=1), a_notification(number=2))
    await postroom.deliver("accepted", "accepted")
    assert len(postroom.mailbox.ids) == postroom.mailbox.total == 2


async def test_an_output_id_seen_before_is_a_repeat(postroom: Postroom) -> None:
    postroom.put_value(encode(a_notification(number=1)), "i/0/7/0")
    postroom.put_value(encode(a_notification(number=2)), "i/0/7/1")
    postroom.put_value(encode(a_notification(number=3)), "i/0/7/0")
    postroom.put_value(encode(a_notification(number=4)), "other/0/1/0")
    await postroom.deliver(*["accepted"] * 3)
    assert {each.dedup_key.split("|")[2] for each in postroom.deliveries()} == {"invoice:1", "invoice:2", "invoice:4"}


async def test_a_dedup_key_seen_before_is_a_repeat_even_after_delivery(postroom: Postroom) -> None:
    postroom.put(a_notification(), a_notification(), ids=False)
    await postroom.deliver("accepted")
    postroom.put(a_notification(), a_notification(number=2))
    await postroom.deliver("accepted", "accepted")
    assert sorted(postroom.mailbox.ids.values()) == [1, 1]


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{",
        b"{}",
        b"\xff",
        encode(a_notification(format=2)),
        encode(a_notification(decided_at="?")),
        encode(a_notification(expires_at="?")),
    ],
)
async def test_what_is_no_notification_is_dead_lettered_and_its_neighbours_unharmed(
    postroom: Postroom, value: bytes | None
) -> None:
    postroom.put_value(value)
    postroom.put(a_notification())
    await postroom.deliver("accepted")
    (letter,) = postroom.dead_letters()
    assert (letter.topic, letter.partition, letter.offset) == ("outbox", 0, 0)


@pytest.mark.parametrize("error", [KeyError, ValueError])
async def test_a_notification_that_makes_the_handler_raise_is_dead_lettered_and_its_neighbours_unharmed(
    postroom: Postroom, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    row_key = attempts.row_key

    def mistaken(dedup_key: str) -> bytes:
        if "invoice:2" in dedup_key:
            raise error("ann.miller@mail.example")
        return row_key(dedup_key)

    monkeypatch.setattr(attempts, "row_key", mistaken)
    postroom.put(*(a_notification(number=number) for number in (1, 2, 3)))
    await postroom.deliver("accepted", "accepted")
    (letter,) = postroom.dead_letters()
    assert letter.offset == 1
    assert letter.reason.startswith(f"handler: {error.__name__} at app.delivery.sender:")


async def test_too_many_that_are_no_notifications_end_the_sender(postroom: Postroom) -> None:
    postroom.dead_letters_per_hour = 2
    for _ in range(3):
        postroom.put_value(b"{")
    with pytest.raises(TooManyDeadLettersError, match="outbox@2 would be one more"):
        async with postroom.process() as running:
            await running
    assert [letter.offset for letter in postroom.dead_letters()] == [0, 1]


@pytest.mark.parametrize("step", ["mail", "rcpt", "data", "message"])
async def test_a_refusal_for_good_is_rejected(postroom: Postroom, step: Step) -> None:
    postroom.mailbox.behaviour = Once(step, "550 5.1.1 <ann.miller@mail.example> unknown")
    postroom.put(a_notification())
    await postroom.deliver("rejected")
    (delivery,) = postroom.deliveries()
    assert (delivery.reason, delivery.attempts) == (f"smtp 550 5.1.1 at {step}", 1)
    assert postroom.mailbox.total == 0


@pytest.mark.parametrize("step", ["mail", "rcpt", "data", "message"])
async def test_a_refusal_for_now_is_deferred_and_tried_again(postroom: Postroom, step: Step) -> None:
    postroom.mailbox.behaviour = Once(step, "451 4.3.0 try later")
    postroom.put(a_notification())
    async with postroom.process():
        await postroom.until(lambda: postroom.outcomes() == ["deferred"])
        postroom.now += MINUTE
        postroom.sender.committed()  # type: ignore[union-attr]
        await postroom.until(lambda: postroom.outcomes() == ["deferred", "accepted"])
    deferred, accepted = postroom.deliveries()
    assert (deferred.reason, deferred.attempts, accepted.attempts) == (f"smtp 451 4.3.0 at {step}", 1, 2)
    assert postroom.mailbox.total == 1


async def test_a_deferred_notification_is_tried_again_by_the_next_owner(postroom: Postroom) -> None:
    postroom.mailbox.behaviour = Once("rcpt", "450 greylisted")
    postroom.put(a_notification())
    await postroom.deliver("deferred")
    postroom.now += MINUTE
    await postroom.deliver("deferred", "accepted")


@pytest.mark.parametrize("step", ["mail", "rcpt", "data"])
async def test_a_connection_lost_before_the_message_leaves_is_deferred(postroom: Postroom, step: Step) -> None:
    postroom.mailbox.behaviour = Once(step, DROP)
    postroom.put(a_notification())
    await postroom.deliver("deferred")
    postroom.now += MINUTE
    await postroom.deliver("deferred", "accepted")
    assert postroom.mailbox.total == 1


@pytest.mark.parametrize("answer", [DROP, SILENT, "gibberish", "299", "333 what"])
async def test_no_answer_to_the_message_is_an_unknown_outcome_and_never_sent_again(
    mailbox: Mailbox, answer: str
) -> None:
    postroom = Postroom(mailbox, smtp_timeout=0.1)
    postroom.mailbox.behaviour = Once("message", answer)
    postroom.put(a_notification())
    expected = "accepted" if answer == "299" else "unknown_outcome"
    await postroom.deliver(expected)
    postroom.now += HOUR
    postroom.put(a_notification(number=2, checked_at=format_instant(postroom.now)))
    await postroom.deliver(expected, "accepted")
    assert postroom.mailbox.total == (2 if answer == "299" else 1)


async def test_idle_connections_that_the_relay_has_closed_cost_no_attempt(postroom: Postroom) -> None:
    postroom.put(a_notification(number=1))
    async with postroom.process():
        await postroom.until(lambda: postroom.outcomes() == ["accepted"])
        postroom.mailbox.behaviour = Once("mail", "421 4.4.2 idle for too long")
        postroom.put(a_notification(number=2))
    await postroom.deliver("accepted", "deferred")  # a new connection that is refused so is the relay's state
    postroom.now += MINUTE
    await postroom.deliver("accepted", "deferred", "accepted")


async def test_a_relay_that_is_away_defers_little_and_gets_everything_once_it_is_back(mailbox: Mailbox) -> None:
    port = mailbox.port
    await mailbox.__aexit__(None, None, None)
    postroom = Postroom(mailbox)
    postroom.put(*some_notifications(30))
    async with postroom.process():
        await postroom.until(lambda: "deferred" in postroom.outcomes())
    deferred = len(postroom.outcomes())
    assert deferred <= 8, "all others wait for the relay"
    postroom.now += MINUTE
    async with Mailbox(port) as back:
        postroom.mailbox = back
        await postroom.deliver(*["deferred"] * deferred, *["accepted"] * 30)
        assert back.total == 30


async def test_three_days_after_the_decision_a_notification_expires(postroom: Postroom) -> None:
    postroom.mailbox.behaviour = lambda step, _: "451 no" if step == "rcpt" else None
    postroom.put(a_notification(decided_at="2026-06-09T15:00:00Z"))
    async with postroom.process():
        await postroom.until(lambda: postroom.outcomes() == ["deferred"])
    postroom.now += HOUR
    await postroom.deliver("deferred", "expired")


async def test_what_could_not_be_tried_again_in_time_expires_at_once(postroom: Postroom) -> None:
    postroom.mailbox.behaviour = Once("rcpt", "451 4.2.2 full")
    postroom.put(a_notification(decided_at="2026-06-09T14:05:30Z"))
    await postroom.deliver("expired")
    assert postroom.deliveries()[0].reason == "smtp 451 4.2.2 at rcpt"


@pytest.mark.parametrize(
    ("expires_at", "fresh", "outcome"),
    [
        ("2026-06-12T14:05:00Z", False, "expired"),
        ("2026-06-12T14:05:30Z", False, "accepted"),
        ("2026-06-12T14:05:00Z", True, "accepted"),
    ],
    ids=["expired", "not yet", "of a played history"],
)
async def test_a_link_that_has_expired_is_not_handed_over(
    postroom: Postroom, expires_at: str, outcome: str, *, fresh: bool
) -> None:
    postroom.put(a_notification(expires_at=expires_at, fresh=fresh))
    await postroom.deliver(outcome)
    assert postroom.mailbox.total == (outcome == "accepted")


async def test_a_fresh_notification_of_a_played_history_ages_by_the_senders_clock(postroom: Postroom) -> None:
    postroom.now += 900 * DAY
    postroom.put(a_notification(fresh=True))
    await postroom.deliver("accepted")
    assert postroom.mailbox.messages[0].date == "Fri, 12 Jun 2026 14:00:04 +0000"


async def test_a_template_that_cannot_be_rendered_is_a_template_error(postroom: Postroom) -> None:
    postroom.put(
        a_notification(number=1, template="gone"),
        a_notification(number=2, trigger="unknown"),
        a_notification("payment_failed", number=3, template="initial_invoice"),
        a_notification(number=4, time_zone="Mars/Olympus"),
        a_notification(number=5),
    )
    await postroom.deliver(*["template_error"] * 4, "accepted")
    assert all(each.reason for each in postroom.deliveries() if each.outcome == "template_error")


@pytest.mark.parametrize("address", ["", "nobody", "a b@mail.example", "x@mail.example\r\nBcc: y@z.example"])
async def test_what_is_no_address_is_rejected(postroom: Postroom, address: str) -> None:
    postroom.put(a_notification(address=address))
    await postroom.deliver("rejected")
    assert postroom.mailbox.total == 0


async def test_delivery_off_suppresses_everything(postroom: Postroom) -> None:
    postroom.delivery = "off"
    postroom.put(*some_notifications(3))
    await postroom.deliver(*["suppressed"] * 3)
    assert {each.reason for each in postroom.deliveries()} == {"delivery is off"}
    assert postroom.mailbox.connections == 0


async def test_redirected_mails_reach_that_address_alone(postroom: Postroom) -> None:
    postroom.delivery = "redirect:shadow@ops.example"
    postroom.put(a_notification())
    await postroom.deliver("accepted")
    (mail,) = postroom.mailbox.messages
    assert mail.recipients == ("shadow@ops.example",)
    assert str(mail.message["To"]) == "Ann Miller <shadow@ops.example>"
    assert str(mail.message["X-Whimbrel-Redirected-From"]) == "ann.miller@mail.example"
    assert mail.content.count(b"ann.miller@mail.example") == 1
    assert postroom.deliveries()[0].reason == "redirected"


async def test_done_rows_are_forgotten_after_a_while(postroom: Postroom) -> None:
    postroom.put(a_notification())
    await postroom.deliver("accepted")
    assert len(postroom.store.scan(b"attempt/")) == 1
    postroom.now += 41 * DAY
    async with postroom.process():
        await postroom.until(lambda: not postroom.store.scan(b"attempt/"))


async def test_addresses_and_variables_are_in_no_log_and_no_delivery(
    postroom: Postroom, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "app")
    secret = {"view_url": "https://secret.example/token"}
    postroom.mailbox.behaviour = lambda step, address: f"550 no {address}" if step == "rcpt" else None
    postroom.put(
        a_notification(number=1, variables=secret),
        a_notification(number=2, variables=secret, template="gone"),
        a_notification(number=3, variables=secret | {"due_on": "ann.miller@mail.example"}),
    )
    await postroom.deliver("rejected", "template_error", "template_error")
    said = caplog.text + repr(postroom.deliveries()) + repr([each.output for each in postroom.outputs.sent])
    assert "ann.miller" not in said
    assert "secret.example" not in said


async def test_what_a_task_fails_of_ends_the_lane(postroom: Postroom, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Relay, "hand_over", broken)
    postroom.put(a_notification())
    async with postroom.process() as running:
        await postroom.until(running.done)
        with pytest.raises(ZeroDivisionError):
            await running
