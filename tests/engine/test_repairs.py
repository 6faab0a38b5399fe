"""What keeps a lane's history whole, each with the loss or the double that comes where it is switched off.

Every test runs twice, `on` and `off`, and asks the same verdict: `on` it must find nothing, `off` it must find what the
repair is there for. The list is in docs/testing.md.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import pytest
from msgspec.structs import replace

from app.engine import lane as engine
from app.engine.inputs import Fetch, Queue
from app.engine.lane import Lane
from app.engine.ports import JournalIntrudedError
from app.engine.records import Commit, decode_commit
from tests.engine import world as worlds
from tests.engine.test_crash import BOUNDS, a_history
from tests.engine.test_points import more_facts, struck
from tests.engine.verdict import wrongs
from tests.engine.world import Crash, ExpelledError, FencedError, World, Writer
from tests.seams import SeamedLane
from tests.switched import both, raising

LAST_FACTS = 6
"""The batch after which nothing but ticks is left."""


async def killed(world: World, point: str, nth: int) -> None:
    """Play until killed there."""
    world.points.name, world.points.at = point, nth
    with pytest.raises(Crash):
        await world.play(world.lane(bounds=BOUNDS))
    world.points.at = None


async def go_on(world: World) -> None:
    """Play to the end; where a lane finds that it must not, the next one goes on."""
    with suppress(JournalIntrudedError, FencedError):
        await world.play(world.lane(bounds=BOUNDS))
    await world.play(world.lane(bounds=BOUNDS))


def some(found: Iterable[str], *words: str) -> bool:
    """Tell whether something of that kind was found."""
    return any(word in line for line in found for word in words)


@both
async def test_the_fence_keeps_out_who_stood_still(monkeypatch: pytest.MonkeyPatch, *, on: bool) -> None:
    if not on:
        monkeypatch.setattr(Writer, "_refuse_others", lambda self: None)
    world = a_history()
    with suppress(JournalIntrudedError):
        await struck(world, "batch-computed", 2)
    more_facts(world)
    world.lose_store()
    await go_on(world)
    assert some(wrongs(world), "was counted") is not on


@both
async def test_who_has_stood_still_amid_opening_does_not_shut_the_new_owner_out(
    monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    if not on:
        monkeypatch.setattr(Writer, "_confirm", lambda self: None)
    world = a_history()
    owner: list[int] = []

    async def take_over() -> None:
        world.successor().lane()
        owner.append(world.journal.writer)

    world.points.name, world.points.at = "open-first-identity", 1
    world.points.then = world.while_stopped(take_over)
    with raising(ExpelledError, so=on):
        world.lane()
    assert ([world.journal.writer] == owner) is on


@both
async def test_who_has_stood_still_and_is_to_fence_again_does_not_shut_the_new_owner_out(
    monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    async def at_once(self: Lane) -> None:
        self._expect(await self._ports.journal.fence())

    if not on:
        monkeypatch.setattr(Lane, "_refence", at_once)
    monkeypatch.setattr(Writer, "_confirm", lambda self: None)  # it had the group's word before it stood still
    world = a_history()
    await world.play(world.lane(bounds=BOUNDS))
    stood_still = world.lane()
    world.successor().lane()
    owner = world.journal.writer
    monkeypatch.setattr(engine, "REFENCE_SECONDS", -1.0)
    with pytest.raises(FencedError if on else JournalIntrudedError):
        await stood_still.run()
    assert (world.journal.writer == owner) is on


@both
async def test_an_append_that_is_not_where_it_was_expected_ends_the_lane(
    monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    if not on:
        monkeypatch.setattr(Lane, "_expect", lambda lane, first, last=None: setattr(lane, "_next_offset", last + 1))
    world = a_history()
    append = Writer.append
    intruded: list[int] = []

    async def intruding(self: Writer, changes: Mapping[bytes, bytes | None], commit: bytes) -> int:
        if len(world.journal.records) > 10 and not intruded:
            intruded.append(1)
            world.journal.records.append((b"intruder", b"1"))
        return await append(self, changes, commit)

    monkeypatch.setattr(Writer, "append", intruding)
    with suppress(JournalIntrudedError):
        await world.play(world.lane(bounds=BOUNDS))
    await world.play(world.lane(bounds=BOUNDS))
    assert some(wrongs(world), "rows are not those of the journal") is not on


@both
async def test_a_fetch_that_leaves_a_gap_is_read_again(monkeypatch: pytest.MonkeyPatch, *, on: bool) -> None:
    """Around rebalances stock Faust drops records that it has fetched (FAUST.md, L5)."""
    if not on:
        feed = Queue.feed

        def trusting(self: Queue, fetch: Fetch) -> bool:
            return feed(self, fetch._replace(start=self.read))

        monkeypatch.setattr(Queue, "feed", trusting)
    world = a_history()
    fed = Lane.feed
    dropped: list[Fetch] = []

    def dropping(self: Lane, fetch: Fetch) -> int | None:
        if fetch.records and fetch.topic == "a" and len(dropped) < 1:
            dropped.append(fetch)
            return None
        return fed(self, fetch)

    monkeypatch.setattr(Lane, "feed", dropping)
    await world.play(world.lane(bounds=BOUNDS))
    assert dropped
    assert some(wrongs(world), "was not told of") is not on


@both
async def test_positions_are_those_of_the_commit_record(monkeypatch: pytest.MonkeyPatch, *, on: bool) -> None:
    """The group's offsets are sent now and then: after a crash they are behind."""
    if not on:

        def by_the_group(stored: bytes) -> Commit:
            commit = decode_commit(stored)
            return replace(commit, positions={topic: max(0, at - 3) for topic, at in commit.positions.items()})

        monkeypatch.setattr(worlds, "decode_commit", by_the_group)
    world = a_history()
    await killed(world, "batch-done", 3)
    await go_on(world)
    assert some(wrongs(world), "was counted") is not on


@both
async def test_the_store_is_written_after_the_journal(monkeypatch: pytest.MonkeyPatch, *, on: bool) -> None:
    world = a_history()
    if not on:
        append = Writer.append

        async def after_the_store(self: Writer, changes: Mapping[bytes, bytes | None], commit: bytes) -> int:
            world.store.write({**changes, b"~commit": commit}, len(world.journal.records) + len(changes))
            return await append(self, changes, commit)

        monkeypatch.setattr(Writer, "append", after_the_store)
    await killed(world, "append-sent", LAST_FACTS)
    await go_on(world)
    assert some(wrongs(world), "rows are not those of the journal", "was counted") is not on


@both
async def test_outputs_are_sent_after_the_journal(monkeypatch: pytest.MonkeyPatch, *, on: bool) -> None:
    """What was sent and not journaled is computed again, of other facts: readers take it for a repeat."""
    world = a_history()
    if not on:
        append = Writer.append

        async def after_the_outputs(self: Writer, changes: Mapping[bytes, bytes | None], commit: bytes) -> int:
            said = decode_commit(commit)
            await world.outputs.send(said.outputs, 0, f"{said.incarnation}/0/{said.offset}")
            return await append(self, changes, commit)

        monkeypatch.setattr(Writer, "append", after_the_outputs)
    await killed(world, "append-sent", 3)
    await world.play(world.lane(bounds=replace(BOUNDS, records=2)))
    assert some(wrongs(world), "names two outputs", "was told of twice", "was told twice") is not on


@both
@pytest.mark.parametrize("point", ["store-written", "append-known", "append-done"])
async def test_the_last_outputs_are_sent_again(monkeypatch: pytest.MonkeyPatch, point: str, *, on: bool) -> None:
    if not on:
        send = Lane._send

        async def only_new(self: Lane, commit: Commit) -> None:
            if getattr(self, "_sent_again", True):
                await send(self, commit)

        monkeypatch.setattr(Lane, "_send", only_new)
    world = a_history()
    await killed(world, point, 4)
    await go_on(world)
    assert some(wrongs(world), "was not told of") is not on


@both
async def test_a_batch_waits_for_the_outputs_of_the_one_before(monkeypatch: pytest.MonkeyPatch, *, on: bool) -> None:
    """The commit record knows of one batch's outputs: of those before it none may be under way."""
    if not on:
        send, under_way = SeamedLane._send, []

        async def later(self: SeamedLane, commit: Commit) -> None:
            under_way.append(commit)
            if len(under_way) > 2:
                await send(self, under_way.pop(0))

        monkeypatch.setattr(SeamedLane, "_send", later)
    world = a_history()
    await killed(world, "batch-done", 5)
    monkeypatch.undo()
    await go_on(world)
    assert some(wrongs(world), "was not told of") is not on


@both
async def test_who_gets_a_partition_back_restores_it(monkeypatch: pytest.MonkeyPatch, *, on: bool) -> None:
    """Faust restores what is newly assigned; what a member keeps may have had another owner in between."""
    world = a_history()
    await killed(world, "batch-done", 3)
    other = world.successor()
    await other.play(other.lane(bounds=BOUNDS))
    more_facts(world)
    if not on:
        monkeypatch.setattr(worlds, "restore", lambda _store, _journal, _points: None)
    with suppress(JournalIntrudedError):
        await world.play(world.lane(bounds=BOUNDS))
    monkeypatch.undo()
    world.lose_store()
    await go_on(world)
    assert some(wrongs(world), "was counted") is not on


@both
async def test_a_lane_whose_append_is_in_doubt_ends(monkeypatch: pytest.MonkeyPatch, *, on: bool) -> None:
    """Taken for refused, the batch would be computed again, with fewer facts: and it is in the journal already."""
    if not on:
        monkeypatch.setattr(engine, "BatchTooLargeError", Exception)
    world = a_history()
    doubted: list[Any] = []

    def in_doubt(self: Writer, changes: Mapping[bytes, bytes | None]) -> None:
        if len(changes) > 1 and len(doubted) < 1:
            doubted.append(changes)
            raise TimeoutError

    monkeypatch.setattr(Writer, "appended", in_doubt)
    with suppress(TimeoutError, JournalIntrudedError):
        await world.play(world.lane(bounds=BOUNDS))
    assert doubted
    world.lose_store()
    await go_on(world)
    assert some(wrongs(world), "was counted") is not on
