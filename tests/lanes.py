"""A history through a real lane over stores in memory, in external mode: what a worker decides of it."""

import asyncio
import json
from collections.abc import Container, Sequence
from typing import Any

from app.contract.instants import MINUTE, Instant, format_instant
from app.dev.play import Played, play
from app.domain.rules import Rulebook
from app.engine.batch import Bounds
from app.engine.decider import Decider
from app.engine.handler import LaneAccess
from app.engine.inputs import Fetch, Inputs
from app.engine.lane import Lane, Ports
from app.engine.memory import MemoryJournal, MemoryOutputs, MemoryStore
from app.engine.pace import Pace
from app.engine.records import (
    BACKLOG_HEADER,
    COMMIT_KEY,
    FROM_HEADER,
    LINE_HEADER,
    NOW_HEADER,
    Commit,
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


def decided_by_a_lane(
    logs: dict[str, list[PlainRecord]],
    rulebook: Rulebook,
    bounds: Bounds | None = None,
    pace: Pace | None = None,
) -> list[dict[str, Any]]:
    """The records of whimbrel.decisions that a worker writes of these topics."""
    outputs = MemoryOutputs()
    decider = _Watched(logs, rulebook)
    asyncio.run(_run(logs, decider, MemoryStore(decider.index), outputs, bounds, pace))
    return [json.loads(sent.output.value) for sent in outputs.sent if sent.output.topic == NAMES.decisions]


def left_by_a_lane(logs: dict[str, list[PlainRecord]], rulebook: Rulebook) -> tuple[MemoryStore, Commit]:
    """The rows as a worker leaves them, and what its last commit says."""
    decider = _Watched(logs, rulebook)
    store = MemoryStore(decider.index)
    asyncio.run(_run(logs, decider, store, MemoryOutputs()))
    stored = store.get(COMMIT_KEY)
    assert stored is not None
    return store, decode_commit(stored)


class _Watched(Decider):
    """Tells when its lane has come through everything there is."""

    def __init__(self, logs: dict[str, list[PlainRecord]], rulebook: Rulebook) -> None:
        super().__init__(NAMES, lambda: rulebook)
        self.through = asyncio.Event()
        self._logs = logs
        self._lane: LaneAccess | None = None

    async def started(self, lane: LaneAccess) -> None:
        self._lane = lane
        self.committed()

    async def stopping(self) -> None:
        """Nothing runs beside the lane."""

    def committed(self) -> None:
        if isinstance(self._lane, Lane) and _through(self._lane, self._logs):
            self.through.set()


async def _run(
    logs: dict[str, list[PlainRecord]],
    decider: _Watched,
    store: MemoryStore,
    outputs: MemoryOutputs,
    bounds: Bounds | None = None,
    pace: Pace | None = None,
) -> None:
    ports = Ports(
        store=store,
        journal=MemoryJournal(),
        outputs=outputs,
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
