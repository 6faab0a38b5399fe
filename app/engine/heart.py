"""One account's course: facts are read, its clock moves, moments come up and are decided (DOMAIN.md, section 4).

The same code runs in a worker and in `simulate`; only who keeps books and decisions differs.
"""

from collections.abc import Container, Iterable, Iterator

from msgspec.structs import replace

from app.contract.codec import Fact
from app.contract.errors import ContractError
from app.contract.instants import DAY, Instant
from app.contract.types import AccountData, UserData
from app.domain import keys
from app.domain.account import Muted
from app.domain.apply import apply
from app.domain.book import Book
from app.domain.delinquency import filed, next_flip, settle, settle_silently
from app.domain.moving import followed, in_zone, next_move
from app.domain.occasion import Occasion, Pending
from app.domain.rules import Rulebook
from app.engine.agenda import Agenda, decided_at
from app.engine.called import called_up
from app.engine.coming import Stretch, company_of, due
from app.engine.gate import Gate
from app.engine.judge import Judge, Up, recall
from app.engine.ledger import Ledger

UNKNOWN_FOR = DAY
"""How long an event of an unknown account waits for its account."""


class Heart:
    """Reads facts and moves clocks by one configuration; before `live_since` nothing comes up."""

    def __init__(
        self,
        rulebook: Rulebook,
        live_since: Instant,
        ledger: Ledger,
        gate: Gate | None = None,
        judge: Judge | None = None,
    ) -> None:
        """Take what holds for a whole batch; without a gate of its own the guard counts nothing."""
        self._rulebook = rulebook
        self._live_since = live_since
        self._ledger = ledger
        self._gate = gate or Gate(rulebook.switches.guard)
        self._judge = judge or Judge(rulebook, ledger, self._gate)

    def read(self, book: Book, fact: Fact, now: Instant, *, backlog: bool, stands: bool = False) -> Book:
        """Return the account's book after the fact, read at `now`. The fact has passed `check`.

        `stands`: its clock stays where it is, and what it would call up is for when it goes on.
        """
        if book.has_seen(fact.source, fact.id):
            return book
        return self.take(book, fact, now, backlog=backlog, stands=stands)

    def take(self, book: Book, fact: Fact, now: Instant, *, backlog: bool, stands: bool = False) -> Book:
        """Return what `read` does of a fact that is known to be new."""
        company = company_of(book, self._rulebook)
        book = book if company is None else followed(book, company)
        if fact.time > book.account.done and not stands:
            book = self._park(book, fact.time) if backlog else self.advance(book, fact.time, now)
        at = book.account.done
        before = self._at_midnight(book, at) if fact.is_snapshot else book
        book = self._taken(before.seeing(fact.source, fact.id), fact, at)
        if fact.is_snapshot:
            book = self._muting(before, book, at)
        elif fact.time < at:
            book = self._lagging(before, book, fact.time)
        book = self._answered(before, book, fact, now)
        return self._waking(self._released(before, book, now), at)

    def advance(self, book: Book, to: Instant, now: Instant | None) -> Book:
        """Decide what comes up before `to` (exclusive), and what has waited for the clock to move on.

        `now` is the instant of deciding; None is a clock so dense that every moment is decided at once.
        """
        if to <= book.account.done:
            return book
        waiting = [p for p in book.pending.values() if self._is_over(book, p, to)] if book.pending else []
        if waiting:
            over = {(p.occasion.rule, p.occasion.subject) for p in waiting}
            pending = {identity: p for identity, p in book.pending.items() if identity not in over}
            book = replace(book, pending=pending)
        agenda = Agenda(to, now)
        book, came = self._through(book, to, agenda)
        if not waiting and not came:
            return self._woken(book)
        return self._woken(_holding(book, agenda.settle(self._judge, book, waiting, came)))

    def check(self, fact: Fact) -> None:
        """Look at what only the configuration tells, before any clock moves on; raise ContractError."""
        check_company(fact, self._rulebook.companies)

    def _is_over(self, book: Book, pending: Pending, to: Instant) -> bool:
        """Whether what waits is to be decided by a clock that moves on to `to`."""
        if pending.why in ("missed", "lagging"):
            return True
        if pending.release is not None:
            return pending.release < to
        if pending.why == "kill_switch":
            return not self._rulebook.killed(book.company_id or "")
        if pending.why == "guard":
            return self._gate.frees(pending.trips)
        return True  # sending hours that had no opening in sight

    def _through(self, book: Book, to: Instant, agenda: Agenda | None) -> tuple[Book, list[Pending]]:
        """Move the clock to `to`, flip by flip; return what comes up, and tell the agenda how the book changes."""
        came: list[Pending] = []
        company = company_of(book, self._rulebook)
        if company is None:
            return replace(book, account=replace(book.account, done=to)), came
        book = in_zone(followed(book, company), company, book.account.done)
        known = set(book.pending)
        while True:
            if agenda is not None:
                agenda.note(book)
            move = next_move(book, company, to)
            flip = next_flip(book, company, move)
            end = move if flip is None else min(flip, move)
            begin = max(book.account.done, self._live_since)
            for occasion in due(book, company, self._rulebook, Stretch(begin, end)) if begin < end else ():
                identity = occasion.rule, occasion.subject
                if identity not in known and not self._decided(book, occasion) and not is_muted(book, occasion):
                    known.add(identity)
                    came.append(Pending(occasion, "missed", occasion.moment))
            book = replace(book, account=replace(book.account, done=end))
            if end >= to:
                return book, came
            book = settle(in_zone(book, company, end), company, end)
            book = filed(book, book.account.clock.day(end)) if book.account.clock else book

    def _park(self, book: Book, to: Instant) -> Book:
        """Move the clock through a backlog: what comes up waits for the tick, to be decided with all facts."""
        book, came = self._through(book, to, None)
        return _holding(book, came)

    def _decided(self, book: Book, occasion: Occasion) -> bool:
        return recall(self._ledger, book, occasion) is not None

    def _taken(self, book: Book, fact: Fact, at: Instant) -> Book:
        """Apply the fact, and move invoices in and out as of `at`: its own time, or the clock where that is later."""
        book = apply(book, fact)
        company = company_of(book, self._rulebook)
        if company is None:
            return book
        book = in_zone(book, company, at)
        book = settle_silently(book, company, at) if fact.is_snapshot else settle(book, company, at)
        return filed(book, book.account.clock.day(at)) if book.account.clock else book

    def _lagging(self, before: Book, book: Book, time: Instant) -> Book:
        """Call up the day moments since the fact's time that hold with it and would not without it."""
        started = self._started(before, book, Stretch(max(time, self._live_since), book.account.done))
        return _holding(
            book,
            [
                Pending(occasion, "lagging", book.account.done)
                for occasion in started
                if (occasion.rule, occasion.subject) not in book.pending and not self._decided(book, occasion)
            ],
        )

    def _at_midnight(self, book: Book, at: Instant) -> Book:
        """Move in what is due at `at` by itself: no finding of the snapshot's, should it come at a local midnight."""
        company = company_of(book, self._rulebook)
        return book if company is None else settle(book, company, at)

    def _muting(self, before: Book, book: Book, at: Instant) -> Book:
        """Note which moments the snapshot would start at its own instant: it never fires anything."""
        started = self._started(before, book, Stretch(max(at, self._live_since), at + 1))
        identities = [(occasion.rule, occasion.subject) for occasion in started]
        earlier = before.account.muted
        if earlier is not None and earlier.at == at:
            identities += earlier.identities
        muted = Muted(at, tuple(identities)) if identities else None
        return book if muted == book.account.muted else replace(book, account=replace(book.account, muted=muted))

    def _started(self, before: Book, book: Book, stretch: Stretch) -> Iterator[Occasion]:
        """Yield the day moments of the stretch that hold by `book` and do not by `before`."""
        old, company = company_of(before, self._rulebook), company_of(book, self._rulebook)
        if company is None or stretch.begin >= stretch.end:
            return
        without = {(o.rule, o.subject) for o in due(before, old, self._rulebook, stretch)} if old else set()
        for occasion in due(book, company, self._rulebook, stretch):
            if (occasion.rule, occasion.subject) not in without:
                yield occasion

    def _answered(self, before: Book, book: Book, fact: Fact, now: Instant) -> Book:
        """Decide the event rules that the fact calls up, or hold them while its account is unknown."""
        if fact.time < self._live_since or fact.is_snapshot:
            return book
        occasions = called_up(before, book, fact, self._rulebook)
        if not occasions:
            return book
        if book.company_id is None:
            held = [self._judge.hold_unknown(book, occasion, now) for occasion in occasions]
            return _holding(book, [_until_known(p, now) for p in held if p is not None])
        up = [Pending(occasion, "missed", occasion.moment) for occasion in occasions]
        return _holding(book, self._judge.decide_all([Up(book, p, decided_at(p, now)) for p in up]))

    def _released(self, before: Book, book: Book, now: Instant) -> Book:
        """Decide what waited for this account, on its first event."""
        if before.company_id is not None or book.company_id is None or not book.pending:
            return book
        waited = {identity: p for identity, p in book.pending.items() if p.why == "unknown_account"}
        held = self._judge.decide_all([Up(book, p, now) for p in waited.values()])
        left = {identity: p for identity, p in book.pending.items() if identity not in waited}
        return _holding(replace(book, pending=left), held)

    def _waking(self, book: Book, at: Instant) -> Book:
        """Note that the next clock move must look at the account: a flip, a card or a change of zone made moments."""
        flipped = [i for i in book.invoices.values() if i.flipped_at == at and not i.silent]
        stored = [c for c in book.cards.values() if c.since == at and not c.silent]
        clock = book.account.clock
        moved = clock is not None and clock.passed is not None and clock.since == at
        return self._woken(book, at if flipped or stored or moved else None)

    def _woken(self, book: Book, wake: Instant | None = None) -> Book:
        """Set when the next clock move must look at the account, whatever its dates say."""
        if book.pending:
            wakes = [0 if p.why in ("missed", "lagging") else p.release for p in book.pending.values()]
            wake = min((instant for instant in (*wakes, wake) if instant is not None), default=None)
        if wake == book.account.wake:
            return book
        return replace(book, account=replace(book.account, wake=wake))


def check_company(fact: Fact, companies: Container[str]) -> None:
    """Hold the fact against the companies that are configured: what is dead-lettered must move no clock.

    Raises:
        ContractError: The fact names a company that is not configured.
    """
    data = fact.data
    if isinstance(data, AccountData) and data.company_id not in companies:
        raise ContractError("data.company_id", "no such company is configured")
    if isinstance(data, UserData) and data.user.company_id not in companies:
        raise ContractError("data.user.company_id", "no such company is configured")


def is_muted(book: Book, occasion: Occasion) -> bool:
    """Whether a snapshot alone starts it, at its own instant."""
    muted = book.account.muted
    if muted is None or muted.at != occasion.moment:
        return False
    return (occasion.rule, occasion.subject) in muted.identities


def book_of(fact: Fact) -> str:
    """Return the id of the book that the fact belongs to: its account's, or its user's."""
    return keys.user_book(fact.subject) if isinstance(fact.data, UserData) else fact.subject


def _until_known(pending: Pending, now: Instant) -> Pending:
    until = (now if pending.held is None else pending.held) + UNKNOWN_FOR
    return replace(pending, since=until, release=until)


def _holding(book: Book, pending: Iterable[Pending]) -> Book:
    """Return the book with this, too, waiting to be decided."""
    new = {(p.occasion.rule, p.occasion.subject): p for p in pending}
    return replace(book, pending=book.pending | new) if new else book
