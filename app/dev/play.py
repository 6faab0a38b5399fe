"""In what order a file of events is read by the running system: the order in which `publish` plays it.

As `simulate` reads it (DOMAIN.md, section 7): each event at its own time, or when its account's clock stands later, or
when a pause ends; ticks say where time itself has got to.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from app.contract.codec import Fact, Glimpse, decode, glimpse, topic_for
from app.contract.errors import ContractError, UnknownType
from app.contract.instants import Instant
from app.domain.book import Book, new_book
from app.engine.heart import book_of, check_company
from app.simulate.run import Span


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file as a record: `topic` without prefix; `key` None where no subject can be read."""

    number: int
    value: bytes
    topic: str
    key: bytes | None


@dataclass(frozen=True, slots=True)
class Played:
    """A line and the instant at which it is read; `backlog` where it waited for the end of a pause."""

    line: Line
    at: Instant
    backlog: bool


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time has reached `at`; everything played before is read before."""

    at: Instant


def lines_of(file: Iterable[bytes]) -> Iterator[Line]:
    """Return the lines in the file's order, without empty ones."""
    return (_line(number, value, glimpse(value)) for number, value in _written(file))


def play(
    file: Iterable[bytes], span: Span, step: Instant, companies: Container[str] | None = None
) -> Iterator[Played | Ticked]:
    """Return lines and ticks in play order; lines read after the span's end are left out.

    `companies`: those configured, where that is known. What names another will be dead-lettered, and moves no clock.
    Lines come by the instant they are read at, then in the file's order; a tick comes after the lines of its instant.
    """
    played = iter(sorted(_read(file, span, companies), key=lambda each: each.at))
    waiting = next(played, None)
    for instant in tick_instants(span, step):
        while waiting is not None and waiting.at <= instant:
            yield waiting
            waiting = next(played, None)
        yield Ticked(instant)
    while waiting is not None and waiting.at <= span.until:
        yield waiting
        waiting = next(played, None)


def tick_instants(span: Span, step: Instant) -> Sequence[Instant]:
    """Return when ticks come: from `begin` every `step` microseconds and at `until`, but none inside a pause.

    One comes where a pause ends, and one right before it begins: what was due by then is no backlog.
    """
    regular = range(span.begin, span.until + 1, step)
    edges = (edge for pause in span.pauses for edge in (pause.begin - 1, pause.end))
    instants = {*regular, span.until, *(edge for edge in edges if span.begin <= edge <= span.until)}
    return sorted(instant for instant in instants if span.read_at(instant) == instant)


def _written(file: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    return ((number, value.rstrip(b"\r\n")) for number, value in enumerate(file, 1) if value.strip())


def _line(number: int, value: bytes, seen: Glimpse) -> Line:
    return Line(number, value, topic_for(seen.type or ""), seen.subject.encode() if seen.subject else None)


def _read(file: Iterable[bytes], span: Span, companies: Container[str] | None) -> Iterator[Played]:
    books: dict[str, Book] = {}
    newest = span.begin
    for number, value in _written(file):
        seen, fact = glimpse(value), _fact(value, companies)
        if seen.time is not None:
            whose = book_of(fact) if fact else seen.subject or ""
            book = books.get(whose) or new_book(whose, seen.time)
            newest = max(book.account.done, seen.time)
            if fact is not None and not book.has_seen(fact.source, fact.id):
                account = replace(book.account, done=newest)
                books[whose] = replace(book.seeing(fact.source, fact.id), account=account)
        at = span.read_at(newest)
        yield Played(_line(number, value, seen), at, backlog=at > newest)


def _fact(value: bytes, companies: Container[str] | None) -> Fact | None:
    """Return the event as a fact, if it will be one: what is dead-lettered or passed over moves no clock."""
    try:
        fact = decode(value, None, keyed=False)
        if companies is not None:
            check_company(fact, companies)
    except (ContractError, UnknownType):
        return None
    return fact
