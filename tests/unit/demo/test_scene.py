from collections.abc import Callable, Sequence

import orjson

from app.contract.instants import DAY, HOUR, parse_instant
from app.dev.demo.scene import FENCE_KEY, Scene
from app.engine.outbox import Delivery, DeliveryOutcome, encode
from app.engine.records import COMMIT_KEY, ID_HEADER, Commit, Cursor, Output, PlainRecord, encode_commit
from app.simulate.run import Span
from app.streams.names import Names
from tests.unit.demo.lines import a_line

BEGIN = parse_instant("2026-06-01T00:00:00Z")
NAMES = Names()


def a_scene() -> Scene:
    return Scene(Span(BEGIN, BEGIN + 10 * DAY), NAMES, partitions=2, page="http://127.0.0.1:8025/")


def committed(partition: int, facts: int, cursor: Cursor, outputs: Sequence[str] = ()) -> PlainRecord:
    commit = Commit(
        incarnation="j",
        positions={NAMES.billing: facts, NAMES.jobs: 0, NAMES.ticks: 7},
        cursor=cursor,
        outputs=[Output(topic, b"a1", b"") for topic in outputs],
    )
    return PlainRecord(NAMES.book_journal, partition, 0, 0, COMMIT_KEY, encode_commit(commit))


def decided(place: str, account: str = "a1") -> PlainRecord:
    value = orjson.dumps(a_line(account))
    return PlainRecord(NAMES.decisions, 0, 0, 0, b"a1", value, ((ID_HEADER, place.encode()),))


def delivered(outcome: DeliveryOutcome, key: str = "k1") -> PlainRecord:
    delivery = Delivery(
        dedup_key=key,
        account_id="a1",
        rule="r",
        channel="email",
        recipient="c1",
        outcome=outcome,
        reason=None,
        message_id=None,
        attempts=1,
        at="2026-06-01T00:00:00Z",
    )
    return PlainRecord(NAMES.deliveries, 0, 0, 0, b"a1", encode(delivery))


def tick(hours: int, after: str | None = None, earlier: int = 0) -> Cursor:
    instant = BEGIN + hours * HOUR
    return Cursor(instant, instant, after, earlier)


def test_what_is_read_and_how_far_time_is_come_from_the_slowest_journal() -> None:
    scene = a_scene()
    scene.published, scene.at = 10, BEGIN + 5 * HOUR
    scene.journaled(committed(0, 4, tick(5)))
    assert (scene.ready, scene.waiting, scene.behind) == (False, 6, 5 * HOUR)
    scene.journaled(committed(1, 3, tick(2)))
    assert (scene.ready, scene.waiting, scene.behind) == (True, 3, 3 * HOUR)


def test_a_tick_of_which_slices_are_left_is_not_reached() -> None:
    scene = a_scene()
    for partition in (0, 1):
        scene.journaled(committed(partition, 0, tick(5, "a7", BEGIN + 4 * HOUR)))
    assert scene.reached == BEGIN + 4 * HOUR


def test_a_partition_taken_over_is_counted() -> None:
    scene = a_scene()
    scene.journaled(PlainRecord(NAMES.book_journal, 1, 0, 0, FENCE_KEY, b"2"))
    assert scene.fences == {1: 1}


def test_a_decision_that_comes_again_is_a_repeat() -> None:
    scene = a_scene()
    for place in ("j/0/5/0", "j/0/5/1", "j/0/5/0", "j/0/5/1", "j/0/9/0"):
        scene.decided(decided(place))
    assert (len(scene.decisions), scene.outcomes["sent"], scene.repeats) == (3, 3, 2)


def test_a_delivery_counts_with_its_last_word() -> None:
    scene = a_scene()
    for outcome in ("deferred", "accepted", "accepted"):
        scene.delivered(delivered(outcome))
    assert (scene.mails, scene.deliveries.total()) == (1, 1)


def test_it_is_done_when_facts_time_decisions_and_mails_are_all_worked_off() -> None:
    scene = a_scene()
    scene.published, scene.at = 2, scene.span.until
    missing = []
    steps: list[Callable[[], object]] = [
        lambda: scene.journaled(committed(0, 1, tick(240), [NAMES.decisions, NAMES.outbox])),
        lambda: scene.journaled(committed(1, 1, tick(240))),
        lambda: scene.decided(decided("j/0/5/0")),
        lambda: scene.delivered(delivered("accepted")),
        lambda: setattr(scene, "played", True),
    ]
    for step in steps:
        missing.append(scene.done)
        step()
    assert missing == [False] * 5
    assert scene.done
