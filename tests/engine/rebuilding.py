"""What a lane has left, against what the topics tell anew."""

from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

from app.contract.instants import SECOND
from app.domain.rules import Rulebook
from app.engine.dead_letters import DeadLetter
from app.engine.inputs import Fetch, Inputs
from app.engine.memory import Sent
from app.engine.records import COMMIT_KEY, PlainRecord
from app.engine.ticks import read_tick
from app.rebuild.partition import Rebuild, Result, SnapshotInMaking
from app.rebuild.replay import refusals
from tests.engine.office import Office
from tests.lanes import NAMES, Ran

Logs = dict[str, list[PlainRecord]]


class Left(Struct):
    """What a lane has left: rows, the engine's among them, and outputs."""

    rows: dict[bytes, bytes]
    sent: list[Sent]

    def values(self, topic: str) -> list[tuple[bytes | None, bytes]]:
        """What was sent there, once: what a lane sends again bears the same id."""
        came = {sent.id: sent.output for sent in self.sent if sent.output.topic == topic}
        return [(output.key, output.value) for output in came.values()]


def left(ran: Ran | Office) -> Left:
    return Left(dict(ran.store.scan(b"")) | {COMMIT_KEY: ran.store.get(COMMIT_KEY) or b""}, list(ran.outputs.sent))


def rebuilt(
    logs: Logs,
    rulebook: Rulebook,
    found: Left,
    *,
    begin: Mapping[str, int] | None = None,
    decisions: int = 0,
    live: bool = False,
    belongs: Callable[[str], bool] = lambda owner: True,
) -> Result:
    """The rows that are left against those that the topics tell, where they begin at offsets `begin`, `decisions`."""
    making = SnapshotInMaking()
    for key, row in found.rows.items():
        making.take(key, row)
    snapshot = making.done()
    assert snapshot is not None
    positions = snapshot.commit.positions
    marks = [read_tick(record) for record in logs[NAMES.ticks][: positions[NAMES.ticks]]]
    letters = [(key, msgspec.json.decode(value, type=DeadLetter)) for key, value in found.values(NAMES.dead_letters)]
    refused = refusals(letters)
    rebuild = Rebuild(
        rulebook,
        snapshot,
        marks,
        lag=10 * SECOND,
        external=not live,
        refused=refused,
        missing=tuple(begin or ()),
        belongs=belongs,
    )
    for told, value in found.values(NAMES.decisions)[decisions:]:
        if belongs((told or b"").decode()):
            rebuild.memory.take(told, value)
    begins = dict.fromkeys(NAMES.facts, 0) | dict(begin or {})
    inputs = Inputs(begins)
    for topic, first in begins.items():
        end = positions[topic]
        inputs.feed(Fetch(topic, first, end, logs[topic][first:end], end, 0.0))
    while taken := inputs.take_by_time(100, 1 << 52, 0.0) if live else inputs.take_by_line(100, positions):
        rebuild.replay.read(taken)
    return rebuild.compared()
