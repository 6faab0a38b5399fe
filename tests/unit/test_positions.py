"""Where a lane goes on in a topic that may have lost what comes next."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition

from app import bootstrap
from app.dev.mailbox import Mailbox
from app.dev.previews import a_notification
from app.engine.ports import StateUnusableError
from app.engine.records import COMMIT_KEY, Commit, encode_commit
from app.settings import Settings
from app.streams.names import Names
from app.streams.opening import Opening, Wiring
from app.streams.positions import begun, resumed
from app.streams.store import RocksStore
from tests.engine.world import FencingJournal
from tests.switched import both
from tests.unit.delivery.postroom import NOW, OUTBOX, Postroom


@pytest.mark.parametrize("position", [5, 7, 9])
def test_what_the_log_has_is_gone_on_with(position: int) -> None:
    assert resumed("facts", 3, position, 5, 9, go_on=False) == position


@pytest.mark.parametrize(
    ("position", "beginning", "end", "said"),
    [
        (4, 5, 9, r"facts\[3\]: retention has removed records 4 to 4 before they were processed"),
        (10, 5, 9, r"facts\[3\]: records below 10 were processed, but it ends at 9: it was made anew"),
    ],
)
def test_where_records_are_lost_it_ends_and_says_which_unless_told_to_go_on(
    position: int, beginning: int, end: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(StateUnusableError, match=said + ".*WHIMBREL_LOST_INPUT=go_on"):
        resumed("facts", 3, position, beginning, end, go_on=False)
    assert resumed("facts", 3, position, beginning, end, go_on=True) == beginning
    assert f"going on from record {beginning}" in caplog.text


def test_a_new_journal_begins_with_the_topics() -> None:
    assert begun("journal", "done", 3, {"in": 5}, {"in": 9}, done=0, go_on=False) == {"in": 5}


def test_where_the_journal_is_lost_nothing_is_done_a_second_time(caplog: pytest.LogCaptureFixture) -> None:
    said = r"journal\[3\] is empty, but done\[3\] has had 7 records.*in\[3\]@9.*WHIMBREL_LOST_INPUT=go_on"
    with pytest.raises(StateUnusableError, match=said):
        begun("journal", "done", 3, {"in": 5}, {"in": 9}, done=7, go_on=False)
    assert begun("journal", "done", 3, {"in": 5}, {"in": 9}, done=7, go_on=True) == {"in": 9}
    assert "going on with what comes from now on" in caplog.text


class Topics:
    """Answers how far topics go: all from record 0."""

    def __init__(self, ends: Mapping[str, int]) -> None:
        self._ends = ends

    async def beginning_offsets(self, where: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(where, 0)

    async def end_offsets(self, where: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {each: self._ends[each.topic] for each in where}

    async def answered(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        return await ask()


async def first(wiring: Wiring, topics: Any, directory: Path) -> Mapping[str, int]:
    """Return where a lane begins that has no rows."""
    unused: Any = None
    opening = Opening(
        wiring, "", directory, consumer=topics, outputs=unused, ticker=None, patience=topics, may_decide=bool
    )
    store = RocksStore(directory / "0", lambda _key, _value: (), lambda: NOW)
    try:
        return (await opening._commit(store, 0)).positions
    finally:
        store.close()


@both
async def test_a_sender_whose_journal_is_lost_writes_to_nobody_again(tmp_path: Path, *, on: bool) -> None:
    names, wiring = Names(""), bootstrap.sender(Settings())
    if not on:
        wiring = replace(wiring, outcomes=None)
    async with Mailbox() as mailbox:
        before = Postroom(mailbox)
        before.put(a_notification())
        await before.deliver("accepted")
        anew = before.successor()
        anew.journal = FencingJournal()
        topics = Topics({names.outbox: len(before.outbox), names.deliveries: len(before.deliveries())})
        with pytest.raises(StateUnusableError, match="what was done is no longer known") if on else nullcontext():
            positions = {OUTBOX: (await first(wiring, topics, tmp_path))[names.outbox]}
            commit = encode_commit(Commit(incarnation="anew", offset=0, positions=positions))
            anew.journal.records.append((COMMIT_KEY, commit))
            await anew.deliver("accepted", "accepted")
        assert mailbox.total == (1 if on else 2), "off, everybody is written to again"
