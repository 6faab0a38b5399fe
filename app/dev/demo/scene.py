"""What has been seen so far of the system at work: data alone, filled by records, shown by the screen."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import orjson

from app.contract.instants import Instant
from app.engine.outbox import Delivery
from app.engine.records import COMMIT_KEY, Commit, Record, decode_commit
from app.simulate.run import Span
from app.streams.names import Names
from app.streams.repeats import Repeats

RECENT: Final = 40
FENCE_KEY: Final = b"~fence"

_delivery = msgspec.json.Decoder(Delivery)


@dataclass(frozen=True)
class News:
    """Something that happened to the system itself; `sign` stands before it."""

    sign: str
    text: str


@dataclass
class Scene:
    """The state of the play. Facts, decisions and deliveries are those of the topics, repeats dropped."""

    span: Span
    names: Names
    partitions: int
    page: str
    """Address of the mailbox."""
    at: Instant = 0
    """How far the history is played."""
    published: int = 0
    played: bool = False
    """All of the history is out."""
    decisions: list[dict[str, Any]] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    recent: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=RECENT))
    repeats: int = 0
    """Decisions that came again, known by their ids."""
    deliveries: Counter[str] = field(default_factory=Counter)
    """Last words on notifications, by outcome."""
    news: list[News] = field(default_factory=list)
    commits: dict[int, Commit] = field(default_factory=dict)
    """The newest of each partition's journal."""
    fences: Counter[int] = field(default_factory=Counter)
    """How often each partition was taken over."""
    due: Counter[str] = field(default_factory=Counter)
    """Records that the journals say are to come, by topic."""
    _known: Repeats = field(default_factory=Repeats)
    _settled: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Begin where the history goes live."""
        self.at = self.span.begin

    @property
    def read(self) -> int:
        """Facts whose effect is in the journals."""
        topics = self.names.facts
        return sum(commit.positions.get(topic, 0) for commit in self.commits.values() for topic in topics)

    @property
    def waiting(self) -> int:
        """Facts published and not yet read."""
        return max(0, self.published - self.read)

    @property
    def reached(self) -> Instant:
        """The simulated time that every partition has reached."""
        cursors = [self.commits[each].cursor if each in self.commits else None for each in range(self.partitions)]
        return min(self.span.begin if each is None else _completed(each) for each in cursors)

    @property
    def behind(self) -> Instant:
        """How much simulated time the slowest partition is behind the play."""
        return max(0, self.at - max(self.reached, self.span.begin))

    @property
    def ready(self) -> bool:
        """Tell whether a worker has every partition of the triggers in hand."""
        return len(self.commits) == self.partitions

    @property
    def undelivered(self) -> int:
        """Notifications decided and not yet settled by the sender."""
        return max(0, self.due[self.names.outbox] - len(self._settled))

    @property
    def mails(self) -> int:
        """Mails that the mailbox has accepted, as the sender says."""
        return self.deliveries["accepted"]

    @property
    def done(self) -> bool:
        """Tell whether all is worked off: facts and time to the end, every decision and delivery seen."""
        return (
            self.played
            and self.waiting == 0
            and self.reached >= self.span.until
            and len(self.decisions) >= self.due[self.names.decisions]
            and self.undelivered == 0
        )

    @property
    def progress(self) -> tuple[int, ...]:
        """What grows as long as there is any progress."""
        return self.published, self.read, self.reached, len(self.decisions), len(self._settled)

    def tell(self, sign: str, text: str) -> None:
        """Add to the news."""
        self.news.append(News(sign, text))

    def journaled(self, record: Record) -> None:
        """Take in a record of the triggers' journal."""
        if record.key == FENCE_KEY:
            self.fences[record.partition] += 1
        if record.key != COMMIT_KEY or record.value is None:
            return
        commit = self.commits[record.partition] = decode_commit(record.value)
        self.due.update(output.topic for output in commit.outputs)

    def decided(self, record: Record) -> None:
        """Take in a record of the decisions."""
        if not self._known.is_new(record):
            self.repeats += 1
            return
        decision = orjson.loads(record.value or b"{}")
        self.decisions.append(decision)
        self.outcomes[decision["outcome"]] += 1
        self.recent.append(decision)

    def delivered(self, record: Record) -> None:
        """Take in a record of the deliveries; `deferred` is no last word."""
        delivery = _delivery.decode(record.value or b"{}")
        if delivery.outcome != "deferred" and delivery.dedup_key not in self._settled:
            self._settled.add(delivery.dedup_key)
            self.deliveries[delivery.outcome] += 1


def _completed(cursor: Any) -> Instant:
    instant: Instant = cursor.instant if cursor.after is None else cursor.earlier
    return instant
