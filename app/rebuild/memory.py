"""What the decisions topic says was decided: it is remembered as it was said, and never decided again."""

from collections.abc import Callable, Iterator
from datetime import date

import msgspec

from app.contract.instants import DAY, Instant, parse_instant
from app.domain import keys
from app.domain.book import pack
from app.domain.decision import Decision
from app.domain.occasion import REMEMBERED, Decided, Outcome, Reason, Tally
from app.domain.rules import Rulebook
from app.engine.filing import end_of
from app.engine.judge import MOMENTS_KEPT
from app.engine.writing import FORMAT
from app.errors import WhimbrelError

COUNTED_FOR = 4 * DAY
"""A day's tally is of no use any more so long after, in whatever zone."""


class LineFormatError(WhimbrelError):
    """A record of the decisions topic cannot be read by this version."""


class Line(msgspec.Struct, frozen=True, gc=False):
    """A record of the decisions topic, as far as it is remembered."""

    rule: str
    account_id: str | None
    subject: str
    moment: str
    decided_at: str
    outcome: Outcome
    reason: Reason | None
    dedup_keys: tuple[str, ...]
    version: int
    format: int = FORMAT


class Held(msgspec.Struct, frozen=True, gc=False):
    """A decision that was held and has had no final line since."""

    moment: Instant
    at: Instant
    reason: Reason


class _Said(msgspec.Struct, gc=False):
    """All lines of one (rule, account, subject); `first`: of the moments, those before it are forgotten."""

    moments: list[Instant] = []
    first: int = 0
    committed: Instant | None = None
    hold: Held | None = None


Identity = tuple[str, str, str]
"""Book, rule, subject."""

_decode = msgspec.json.Decoder(Line).decode


class Memory:
    """The lines of one partition's accounts, and a ledger in which nothing can be written."""

    keeps_facts = False
    composes = False

    def __init__(self, rulebook: Rulebook, reached: Instant) -> None:
        """Begin with no line. `reached` is the cursor's instant: what has been forgotten by then is not remembered."""
        self._rulebook = rulebook
        self._reached = reached
        self._said: dict[Identity, _Said] = {}
        self._sent: dict[tuple[str, str], list[Instant]] = {}

    def take(self, key: bytes | None, value: bytes) -> None:
        """Take in the next line. Raises LineFormatError."""
        try:
            line = _decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise LineFormatError("a record of the decisions topic cannot be read") from None
        if line.format > FORMAT:
            raise LineFormatError(f"the decisions topic holds format {line.format}; this version reads {FORMAT}")
        book = line.account_id
        if book is None:
            book = keys.user_book((key or b"").decode())
        self._take(book, line, parse_instant(line.moment), parse_instant(line.decided_at))

    def hold(self, book: str, rule: str, subject: str, moment: Instant) -> Held | None:
        """Return the hold that the moment is still under by its lines."""
        said = self._said.get((book, rule, subject))
        return said.hold if said is not None and said.hold is not None and said.hold.moment == moment else None

    def has_line(self, book: str, rule: str, subject: str, moment: Instant | None) -> bool:
        """Whether anything was said of the moment; None: of any."""
        said = self._said.get((book, rule, subject))
        return said is not None and (moment is None or moment in said.moments)

    def rows(self, day_of: Callable[[str, Instant], date | None]) -> Iterator[tuple[bytes, bytes]]:
        """Yield the rows of what is remembered; `day_of` gives the local day of an account's instant."""
        for (book, rule, subject), said in self._said.items():
            decided = Decided(tuple(said.moments[said.first :][-MOMENTS_KEPT:]), said.committed)
            if decided.until >= self._reached:
                yield keys.decided_row(book, rule, subject), pack(decided)
        for (book, contact), instants in self._sent.items():
            days = [day_of(book, instant) for instant in instants]
            tally = None if days[-1] is None else Tally(days[-1], _run(days))
            if tally is not None and end_of(tally) >= self._reached:
                yield keys.cap_row(book, contact), pack(tally)

    def recall(self, account: str, rule: str, subject: str) -> Decided | None:
        """Return what was decided of the subject for good; what is held is to come up once more."""
        said = self._said.get((account, rule, subject))
        if said is None or said.hold is not None:
            return None
        return Decided(tuple(said.moments[-MOMENTS_KEPT:]), said.committed)

    def count(self, account: str, contact: str, day: date) -> int:
        """Return 0: whether a cap holds is told by the line, not asked."""
        del account, contact, day
        return 0

    def remember(self, account: str, rule: str, subject: str, decided: Decided) -> None:
        """Let it be: nothing is decided here."""

    def add(self, account: str, contact: str, day: date) -> None:
        """Let it be."""

    def write(self, decision: Decision) -> None:
        """Let it be."""

    def _take(self, book: str, line: Line, moment: Instant, at: Instant) -> None:
        said = self._said.setdefault((book, line.rule, line.subject), _Said())
        if said.moments and max(said.moments[said.first :]) + REMEMBERED < moment:
            said.first, said.committed = len(said.moments), None
        if moment not in said.moments[said.first :]:
            said.moments.append(moment)
        if line.outcome in (Outcome.SENT, Outcome.HELD):
            said.committed = moment
        elif said.committed == moment:
            said.committed = None
        if line.outcome is Outcome.HELD and line.reason is not None:
            said.hold = Held(moment, at, line.reason)
        elif said.hold is not None and said.hold.moment == moment:
            said.hold = None
        if line.outcome is Outcome.SENT and at > self._reached - COUNTED_FOR and not self._is_critical(line):
            for each in line.dedup_keys:
                self._sent.setdefault((book, keys.recipient_of(each)), []).append(at)

    def _is_critical(self, line: Line) -> bool:
        return any(rule.version == line.version and rule.critical for rule in self._rulebook.versions(line.rule))


def _run(days: list[date | None]) -> int:
    """Return how many of the last are of one day: the tally begins anew with another."""
    count = 0
    while count < len(days) and days[-1 - count] == days[-1]:
        count += 1
    return count
