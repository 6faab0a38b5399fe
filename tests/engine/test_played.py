"""A history in play order through the triggers' handler, against `simulate`, without Kafka."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from app.config.check import load_dir
from app.contract.instants import DAY, HOUR, MINUTE, Instant
from app.dev.play import Played, Ticked, play
from app.dev.provider import history, span
from app.dev.publish import record_headers
from app.domain.rules import Rulebook
from app.engine.decider import Decider
from app.engine.handler import View
from app.engine.memory import MemoryStore
from app.engine.records import Cursor, PlainRecord, Tick
from app.engine.txn import Txn
from app.engine.writing import as_line
from app.simulate.run import Pause, Span, simulate
from app.streams.names import Names
from app.triggers import REGISTRY
from tests.compare import FIELDS

CONFIG = Path(__file__).parents[2] / "deploy" / "config"
NAMES = Names()


class Worker:
    """One partition's handler, fed record by record and tick by tick."""

    def __init__(self, rulebook: Rulebook, begin: Instant) -> None:
        self._begin = begin
        self._handler = Decider(NAMES, lambda: rulebook)
        self._store = MemoryStore(self._handler.index)
        self._cursor: Cursor | None = None

    def read(self, played: Played, number: int) -> Iterator[bytes]:
        txn = Txn(self._store)
        line, headers = played.line, tuple(record_headers(played, number, self._begin))
        record = PlainRecord(line.topic, 0, number, 0, line.key, line.value, headers)
        self._handler.records([record], txn, self._view(played.at))
        return self._commit(txn)

    def tick(self, ticked: Ticked) -> Iterator[bytes]:
        unfinished = True
        while unfinished:
            txn = Txn(self._store)
            self._cursor = self._handler.tick(
                Tick(ticked.at, ticked.at), self._cursor, txn, self._view(ticked.at), limit=20
            )
            unfinished = self._cursor.after is not None
            yield from self._commit(txn)

    def _view(self, now: Instant) -> View:
        return View(partition=0, now=now, cursor=self._cursor, live_since=self._begin, external=True)

    def _commit(self, txn: Txn) -> Iterator[bytes]:
        self._store.write(txn.changes, 0)
        return (output.value for output in txn.outputs if output.topic == NAMES.decisions)


def comparable(decision: dict[str, object]) -> bytes:
    return orjson.dumps([decision[field] for field in FIELDS])


DAYS = 28
WHOLE = span(DAYS)
OUTAGES = {
    "none": (Span(WHOLE.begin, WHOLE.until), 10 * MINUTE),
    "thirty hours": (WHOLE, 10 * MINUTE),
    # It begins between the morning's moment and the tick that would have followed.
    "off the ticks' grid": (
        Span(
            WHOLE.begin + 5 * MINUTE,
            WHOLE.until,
            (Pause(WHOLE.begin + 15 * DAY + 13 * HOUR + MINUTE, WHOLE.begin + 18 * DAY + 3 * MINUTE),),
        ),
        15 * MINUTE,
    ),
}


@pytest.mark.parametrize("outage", OUTAGES)
def test_played_a_history_is_decided_as_simulate_decides_it(outage: str) -> None:
    stretch, step = OUTAGES[outage]
    written = load_dir(CONFIG, REGISTRY)
    rulebook = Rulebook(written.rules, written.companies)
    lines = list(history(accounts=60, days=DAYS))
    worker = Worker(rulebook, stretch.begin)
    decided: Counter[bytes] = Counter()
    for number, each in enumerate(play(lines, stretch, step), 1):
        made = worker.read(each, number) if isinstance(each, Played) else worker.tick(each)
        decided.update(comparable(orjson.loads(value)) for value in made)
    decisions, _ = simulate(lines, rulebook, stretch)
    assert decided == Counter(comparable(as_line(decision)) for decision in decisions)
    assert decided.total() > 100
