"""A history through a real lane over stores in memory, in external mode: what a worker decides of it."""

import asyncio
import json
from collections.abc import Callable, Container, Sequence
from typing import Any, NamedTuple

from app.contract.instants import MINUTE, Instant, format_instant
from app.dev.play import Played, play
from app.domain.rules import Rulebook
from app.engine.batch import Bounds
from app.engine.decider import Decider
from app.engine.handler import LaneAccess
from app.engine.inputs import Fetch, Inputs
from app.engine.lane import Lane
from app.engine.memory import MemoryJournal, MemoryOutputs, MemoryStore
from app.engine.pace import Pace
from app.engine.ports import Ports
from app.engine.records import (
    BACKLOG_HEADER,
    COMMIT_KEY,
    FROM_HEADER,
    LINE_HEADER,
    NOW_HEADER,
    Commit,
    Output,
    PlainRecord,
    decode_commit,
)
from app.engine.ticks import Ticks
from app.simulate.run import Span
from app.streams.names import Names

NAMES = Names()
STEP = 10 * MINUTE


def logs_of(
    lines: Sequence[bytes], span: Span, companies: Container[str], step: Instant = STEP
) -> dict[str, list[PlainRecord]]:
    """The topics, one partition each, as `whimbrel publish --ticks` fills them."""
    logs: dict[str, list[PlainRecord]] = {topic: [] for topic in (*NAMES.facts, NAMES.ticks)}
    for number, each in enumerate(play(lines, span, step, companies), 1):
        headers = [
            (NOW_HEADER, format_instant(each.at).encode()),
            (LINE_HEADER, b"%d" % number),
            (FROM_HEADER, format_instant(span.begin).encode()),
        ]
        if isinstance(each, Played):
            if each.backlog:
                headers.append((BACKLOG_HEADER, b"1"))
            _append(logs[each.line.topic], each.line.topic, each.line.key, each.line.value, headers)
        else:
            ends = {topic: len(logs[topic]) for topic in NAMES.facts}
            value = json.dumps({"partition": 0, "ends": ends}).encode()
            _append(logs[NAMES.ticks], NAMES.ticks, b"0", value, headers)
    return logs


def _append(
    log: list[PlainRecord], topic: str, key: bytes | None, value: bytes, headers: Sequence[tuple[str, bytes]]
) -> None:
    log.append(PlainRecord(topic, 0, len(log), 0, key, value, tuple(headers)))


class Ran(NamedTuple):
    """What a lane has left behind."""

    store: MemoryStore
    outputs: MemoryOutputs

    @property
    def commit(self) -> Commit:
        return decode_commit(self.store.get(COMMIT_KEY) or b"")

    def sent_to(self, topic: str) -> list[Output]:
        return [sent.output for sent in self.outputs.sent if sent.output.topic == topic]


def decided_by_a_lane(
    logs: dict[str, list[PlainRecord]],
    rulebook: Rulebook,
    bounds: Bounds | None = None,
    pace: Pace | None = None,
) -> list[dict[str, Any]]:
    """The records of whimbrel.decisions that a worker writes of these topics."""
    return [
        json.loads(output.value) for output in run_a_lane(logs, rulebook, bounds, pace=pace).sent_to(NAMES.decisions)
    ]


def run_a_lane(
    logs: dict[str, list[PlainRecord]],
    rulebook: Rulebook,
    bounds: Bounds | None = None,
    look: Callable[[Ran], None] | None = None,
    pace: Pace | None = None,
) -> Ran:
    """A lane from the topics' beginning through all that its ticks cover; `look` sees what is there at each commit."""
    watched = _Watched(logs, rulebook, lambda: look(ran) if look else None)
    ran = Ran(MemoryStore(watched.index), MemoryOutputs())
    asyncio.run(_run(logs, watched, ran, bounds, pace))
    return ran


def left_by_a_lane(logs: dict[str, list[PlainRecord]], rulebook: Rulebook) -> tuple[MemoryStore, Commit]:
    """The rows as a worker leaves them, and what its last commit says."""
    ran = run_a_lane(logs, rulebook)
    return ran.store, ran.commit


class _Watched(Decider):
    """Tells when its lane has come through everything there is."""

    def __init__(self, logs: dict[str, list[PlainRecord]], rulebook: Rulebook, look: Callable[[], None]) -> None:
        super().__init__(NAMES, lambda: rulebook)
        self.through = asyncio.Event()
        self._logs = logs
        self._look = look
        self._lane: LaneAccess | None = None

    async def started(self, lane: LaneAccess) -> None:
        self._lane = lane
        self._check()

    async def stopping(self) -> None:
        """Nothing runs beside the lane."""

    def committed(self) -> None:
        self._look()
        self._check()

    def _check(self) -> None:
        if isinstance(self._lane, Lane) and _through(self._lane, self._logs):
            self.through.set()


async def _run(
    logs: dict[str, list[PlainRecord]],
    decider: _Watched,
    ran: Ran,
    bounds: Bounds | None = None,
    pace: Pace | None = None,
) -> None:
    ports = Ports(
        store=ran.store,
        journal=MemoryJournal(),
        outputs=ran.outputs,
        clock=lambda: 0,
        monotonic=lambda: 0.0,
        pace=pace,
    )
    lane = Lane(
        0,
        decider,
        ports,
        commit=Commit(incarnation="i", positions=dict.fromkeys(logs, 0)),
        inputs=Inputs(dict.fromkeys(NAMES.facts, 0)),
        ticks=Ticks(NAMES.ticks, 0),
        external=True,
        bounds=bounds,
    )
    for topic, log in logs.items():
        lane.feed(Fetch(topic, 0, len(log), log, len(log), 0.0))
    running = asyncio.create_task(lane.run())
    ended = asyncio.create_task(decider.through.wait())
    await asyncio.wait((running, ended), return_when=asyncio.FIRST_COMPLETED)
    ended.cancel()
    await lane.stop()
    await running


def _through(lane: Lane, logs: dict[str, list[PlainRecord]]) -> bool:
    """Whether every tick is done: what comes after the last one waits for ever."""
    cursor = lane.commit.cursor
    ended = lane.commit.positions[NAMES.ticks] >= len(logs[NAMES.ticks])
    return ended and (cursor is None or cursor.after is None)
