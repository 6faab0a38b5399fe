"""What a worker hears of its group, and what it makes of a fetch: of nothing, or amid a rebalance. No Kafka needed."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Barrier, current_thread, main_thread
from types import SimpleNamespace
from typing import Any, cast

import faust
import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    InvalidSessionTimeoutError,
    KafkaError,
    NodeNotReadyError,
    RequestTimedOutError,
    UnknownError,
    UnknownMemberIdError,
)
from aiokafka.protocol.transaction import InitProducerIdRequest
from faust.assignor.client_assignment import ClientAssignment, ClientMetadata
from faust.assignor.partition_assignor import PartitionAssignor
from faust.types.tuples import TP
from mode import threads
from mode.threads import MethodQueue

from app.settings import Settings
from app.streams import app, consumer, journal
from app.streams.app import LaneApp
from app.streams.client import KafkaAwayError
from app.streams.consumer import NO_GENERATION, GroupError, LaneConsumer, LaneThread, MembershipLostError
from app.streams.lanes import Lanes
from tests.switched import both


class Coordinator:
    """Has something to say, and waits with it until it is asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def check_errors(self) -> None:
        error, self.error = self.error, None
        if error is not None:
            raise error


SILENCE = RequestTimedOutError()
SESSION, REJOIN = 10.0, 26.0


class Heartbeats(Coordinator):
    """A member of generation 4, and what the group answers each of its questions."""

    def __init__(self, *answers: KafkaError | None) -> None:
        super().__init__()
        self.generation = 4
        self.asked = 0
        self._answers = answers

    async def _do_heartbeat(self) -> bool:
        answer = self._answers[self.asked]
        self.asked += 1
        if isinstance(answer, UnknownMemberIdError):
            self.generation = NO_GENERATION
        elif answer is not None and answer is not SILENCE:
            raise answer
        return answer is None


class Fetcher:
    """Returns a record at offset 7, behind a rebalance if `meanwhile` brings one about; asked for nothing, all."""

    def __init__(self, meanwhile: Any = lambda: None) -> None:
        self._subscriptions = self
        self._meanwhile = meanwhile
        self.taken: set[TP] = set()

    def fetch_context(self) -> AbstractContextManager[None]:
        return nullcontext()

    async def fetched_records(self, partitions: set[TP], **_: float) -> dict[TP, Sequence[Any]]:
        self._meanwhile()
        self.taken |= partitions or {TP(*each) for each in WANTED}
        return {each: ["a record"] for each in partitions}


class State(SimpleNamespace):
    has_valid_position, position, lso, timestamp = True, 7, 9, None


def assignment(position: int = 7) -> SimpleNamespace:
    state = State(position=position)
    return SimpleNamespace(active=True, tps={TP("facts", 0)}, state_value=lambda _: state)


def thread(coordinator: Coordinator, meanwhile: Any = lambda _: None, session: float = SESSION) -> LaneThread:
    subscription = SimpleNamespace(assignment=assignment())
    member: Any = LaneThread.__new__(LaneThread)
    conf = SimpleNamespace(id="whimbrel-triggers", broker_session_timeout=session, broker_rebalance_timeout=REJOIN)
    member.app = SimpleNamespace(conf=conf)
    member._consumer = SimpleNamespace(
        _coordinator=coordinator,
        _subscription=SimpleNamespace(subscription=subscription),
        _fetcher=Fetcher(lambda: meanwhile(member)),
    )
    return member  # type: ignore[no-any-return]


WANTED = {("facts", 0)}


@both
@pytest.mark.parametrize(
    ("error", "mend"),
    [
        (GroupAuthorizationFailedError("whimbrel-triggers"), "grant Read on the group"),
        (InvalidSessionTimeoutError(), "WHIMBREL_SESSION_SECONDS"),
        (KafkaError(repr(UnknownError())), "another worker run under the same WHIMBREL_WORKER"),
        (KafkaError("Unexpected error during coordination AssertionError()"), "AssertionError"),
    ],
)
async def test_what_keeps_a_worker_out_of_its_group_is_heard_and_said_with_what_mends_it(
    error: KafkaError, mend: str, monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    if not on:
        monkeypatch.setattr(LaneThread, "_heed", lambda _self, _consumer: None)
        assert await thread(Coordinator(error)).poll(WANTED, {}), "off, it polls on and on, and nobody hears of it"
        return
    with pytest.raises(GroupError, match=f"member of group whimbrel-triggers: .*{mend}"):
        await thread(Coordinator(error)).poll(WANTED, {})


async def test_what_the_groups_client_may_try_again_it_tries_again() -> None:
    coordinator = Coordinator(RequestTimedOutError())
    assert await thread(coordinator).poll(WANTED, {})
    assert coordinator.error is None, "it waits until it is asked"


async def test_a_fetch_says_where_it_begins_and_ends() -> None:
    ((partition, fetch),) = await thread(Coordinator()).poll(WANTED, {})
    assert (partition, fetch.topic, fetch.start, fetch.end, len(fetch.records)) == (0, "facts", 7, 7, 1)


def assigned_anew(member: Any) -> None:
    """Rebalance: the same partition, assigned again, after somebody else has had it."""
    member._consumer._subscription.subscription.assignment = assignment(position=3)


def subscribed_anew(member: Any) -> None:
    member._consumer._subscription.subscription = SimpleNamespace(assignment=assignment(position=3))


@both
@pytest.mark.parametrize("anew", [assigned_anew, subscribed_anew])
async def test_a_fetch_that_a_rebalance_came_into_is_nobodys(
    monkeypatch: pytest.MonkeyPatch, anew: Callable[[Any], None], *, on: bool
) -> None:
    if not on:
        monkeypatch.setattr(consumer, "_is_current", lambda *_: True)
    member = thread(Coordinator(), anew)
    begins = [fetch.start for _, fetch in await member.poll(WANTED, {})]
    now_assigned = member._consumer._subscription.subscription.assignment
    assert now_assigned.state_value(TP("facts", 0)).position == 3
    assert begins == ([] if on else [7]), "off, it passes for one of the new assignment"


@both
async def test_where_no_lane_wants_anything_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch, *, on: bool) -> None:
    """To aiokafka an empty set means everything: of what nobody has asked for the client would go on behind it."""
    member = thread(Coordinator())
    if not on:
        monkeypatch.setattr(consumer, "_fetched", lambda fetcher, wanted: fetcher.fetched_records(wanted))
    assert await member.poll(set(), {}) == []
    assert member._consumer._fetcher.taken == (set() if on else {TP("facts", 0)})


@both
async def test_who_was_taken_for_dead_ends_as_it_hears_of_it(monkeypatch: pytest.MonkeyPatch, *, on: bool) -> None:
    """Others own its partitions by now, and may be writing."""
    failed: list[BaseException] = []
    lanes = Lanes(cast("Any", None), failed.append)
    member: Any = LaneConsumer.__new__(LaneConsumer)
    member.lanes, member._thread = lanes, thread(Coordinator())
    member._thread._consumer._coordinator.generation = NO_GENERATION
    if not on:
        monkeypatch.setattr(LaneThread, "lost", False)
    await member.on_partitions_revoked({TP("facts", 0)})
    assert [type(error) for error in failed] == ([MembershipLostError] if on else []), "off, it joins as if nothing was"


async def test_the_group_is_asked_about_an_assignment_until_it_answers() -> None:
    heartbeats = Heartbeats(SILENCE, SILENCE, None)
    await thread(heartbeats).confirm(4)
    assert heartbeats.asked == 3


@pytest.mark.parametrize(("session", "holds"), [(SESSION, SESSION), (30.0, REJOIN)])
async def test_the_groups_word_holds_from_when_it_was_asked_for_as_long_as_the_group_waits(
    monkeypatch: pytest.MonkeyPatch, session: float, holds: float
) -> None:
    """Not from the answer, which may have lain here, unread, while the process stood still."""
    clock = iter((100.0, 200.0))
    monkeypatch.setattr(consumer, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert await thread(Heartbeats(SILENCE, None), session=session).confirm(4) == 200 + holds


@pytest.mark.parametrize(("answer", "asked"), [(UnknownMemberIdError(), 1), (None, 0)])
async def test_an_assignment_that_the_group_has_gone_on_from_is_nobodys(answer: KafkaError | None, asked: int) -> None:
    """It hears so from the group, or has joined anew since."""
    heartbeats = Heartbeats(answer)
    with pytest.raises(MembershipLostError):
        await thread(heartbeats).confirm(4 if asked else 3)
    assert heartbeats.asked == asked


async def test_a_group_that_does_not_answer_about_an_assignment_is_waited_for_no_longer_than_brokers_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consumer, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(KafkaAwayError, match="no answer from the coordinator of group whimbrel-triggers"):
        await thread(Heartbeats(SILENCE)).confirm(4)


async def test_while_no_broker_can_be_asked_for_an_identity_the_group_is_not_asked_either() -> None:
    """Its word would grow old, and every lane would ask it again and again."""
    unused: Any = None
    asked = False

    async def ready(_node: int, **_group: Any) -> bool:
        return False

    async def confirm() -> float:
        nonlocal asked
        asked = True
        return 0.0

    request = InitProducerIdRequest(transactional_id="", transaction_timeout_ms=0)
    with pytest.raises(NodeNotReadyError):
        await journal._send(confirm, cast("Any", SimpleNamespace(ready=ready, _conns={})), unused, 0, request)
    assert not asked


async def test_why_the_group_does_not_answer_about_an_assignment_is_said_with_what_mends_it() -> None:
    with pytest.raises(GroupError, match="grant Read on the group"):
        await thread(Heartbeats(GroupAuthorizationFailedError("whimbrel-triggers"))).confirm(4)


@both
def test_a_container_made_anew_under_its_name_takes_the_assignment_of_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    """The broker gives a static member what it had, without asking anybody; Faust's assignor compares host names."""

    def on_host(name: str) -> PartitionAssignor:
        monkeypatch.setattr(faust.Settings, "NODE_HOSTNAME", name)
        lanes: Any = SimpleNamespace(topics=("facts",), fail=None)
        settings = Settings(state=tmp_path, worker="triggers-1")
        return PartitionAssignor(LaneApp(f"whimbrel-{name}", lanes, settings), replicas=0)

    if not on:
        monkeypatch.setattr(app, "NOWHERE", None)
    before, after = on_host("c0ffee1"), on_host("c0ffee2")
    held = ClientAssignment(actives={"facts": [0, 1]}, standbys={})
    said = ClientMetadata(assignment=held, url=str(before._url), changelog_distribution={}, topic_groups={})
    stored = SimpleNamespace(assignment=[("facts", [0, 1])], user_data=before._compress(said.dumps()))
    if not on:
        with pytest.raises(AssertionError):
            after.on_assignment(stored)
        return
    after.on_assignment(stored)
    assert set(after._active_tps) == {TP("facts", 0), TP("facts", 1)}


@both
def test_a_call_into_the_clients_thread_while_that_is_starting_is_worked_off(
    monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    """The queue of calls is the same for who calls and for the thread, though they ask for it at once."""
    together = Barrier(2)

    class Queue(MethodQueue):  # type: ignore[misc]
        def __init__(self, **options: Any) -> None:
            if current_thread() is not main_thread():
                together.wait(10)  # both have found none
            super().__init__(**options)

    monkeypatch.setattr(threads, "MethodQueue", Queue)
    monkeypatch.setattr(consumer, "MethodQueue", Queue)
    if not on:
        monkeypatch.delattr(LaneThread, "__init__")
    monkeypatch.setattr(LaneThread, "__post_init__", lambda _self: None)
    member = LaneThread(SimpleNamespace(transport=SimpleNamespace(app=None)))
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(lambda: member.method_queue) for _ in range(2)]
    caller, worker = (each.result() for each in asked)
    assert (caller is worker) is on
