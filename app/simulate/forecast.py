"""What comes next and when, if nothing more happens: the heart itself, on time that has not come yet.

Nothing is written down. A forecast cannot disagree with what the running system will decide by the same facts and the
same configuration: it is the same code that decides (DOMAIN.md, section 6).
"""

from collections.abc import Iterable, Iterator
from datetime import date

import msgspec

from app.contract.instants import Instant
from app.domain.book import Book
from app.domain.calendar import LocalClock
from app.domain.decision import Decision
from app.domain.occasion import Outcome, Pending
from app.domain.rules import Rulebook
from app.engine.coming import company_of
from app.engine.foresight import Draft
from app.engine.heart import Heart
from app.engine.ledger import Ledger
from app.engine.standing import NEVER
from app.simulate.log import by_subject
from app.simulate.run import Breach, Notes, Span, courses


class Ahead(msgspec.Struct, frozen=True):
    """The time that is looked into: after `at`, up to and including `until`. What is overdue is decided at `at`."""

    at: Instant
    until: Instant


class Standing(msgspec.Struct, frozen=True):
    """An account's book as it stands, and what was decided of it before."""

    book: Book
    ledger: Ledger


class Prospect(msgspec.Struct, frozen=True, kw_only=True):
    """A moment that comes up, or waits already, and what becomes of it.

    `final` None: it is still held as the forecast ends, until `release`, or None: until an operator says so. `held` is
    the reason why it is held first, None where it is not.
    """

    rule: str
    trigger: str
    subject: str
    moment: Instant
    held: str | None = None
    release: Instant | None = None
    final: Decision | None = None

    @property
    def at(self) -> Instant:
        """When something becomes of it: where it is still held, its moment."""
        return self.final.decided_at if self.final is not None else self.moment

    @property
    def recipients(self) -> int:
        """How many notifications go out."""
        return len(self.final.recipients) if self.final and self.final.outcome is Outcome.SENT else 0


class Flip(msgspec.Struct, frozen=True):
    """An invoice is moved into delinquency at a local midnight: `day` is its `delinquent_since`."""

    invoice_id: str
    day: date
    at: Instant


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What comes for one account (or login): prospects and flips in the order in which they happen."""

    book: Book
    """As it stands in the end."""
    zone: str
    prospects: list[Prospect]
    flips: list[Flip]

    def day(self, instant: Instant) -> date:
        """Return the account's local day."""
        return LocalClock(self.zone).day(instant)


def forecast(standing: Standing, rulebook: Rulebook, live_since: Instant, ahead: Ahead) -> Forecast:
    """Let the account's clock run: at `at` comes what a tick would bring then, from there on every moment on time."""
    noting = _Noting(standing.ledger)
    heart = Heart(rulebook, live_since, noting)
    book = heart.advance(standing.book, ahead.at + 1, ahead.at)
    book = heart.advance(book, ahead.until + 1, None)
    clock, company = book.account.clock, company_of(book, rulebook)
    return Forecast(
        book=book,
        zone=clock.zone if clock is not None else company.time_zone if company is not None else "UTC",
        prospects=sorted(_prospects(standing.book, noting.decisions, book), key=_order),
        flips=sorted(_flips(standing.book, book), key=lambda flip: (flip.at, flip.invoice_id)),
    )


def standings(lines: Iterable[bytes], rulebook: Rulebook, at: Instant) -> tuple[list[Standing], list[Breach]]:
    """Play a file from its beginning up to `at`, as `simulate` does: how each account and login stands then."""
    notes = Notes()
    breaches: list[Breach] = []
    found = courses(by_subject(lines), Heart(rulebook, NEVER, notes), Span(NEVER, at), breaches)
    return [Standing(course.book, notes) for course in found], sorted(breaches)


class _Noting(Draft):
    """A ledger that notes what would be written, for the forecast alone."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self.decisions: list[Decision] = []

    def write(self, decision: Decision) -> None:
        self.decisions.append(decision)


def _prospects(before: Book, decisions: Iterable[Decision], after: Book) -> Iterator[Prospect]:
    final: dict[tuple[str, str, Instant], Decision] = {}
    held: dict[tuple[str, str, Instant], str] = {}
    for pending in before.pending.values():
        if pending.held is not None:
            held[_identity(pending)] = pending.why
    for decision in decisions:
        identity = decision.rule, decision.subject, decision.moment
        if decision.outcome is Outcome.HELD:
            held[identity] = decision.reason or ""
        else:
            final[identity] = decision
    for identity, decision in final.items():
        rule, subject, moment = identity
        yield Prospect(
            rule=rule,
            trigger=decision.trigger,
            subject=subject,
            moment=moment,
            held=held.get(identity),
            final=decision,
        )
    for pending in after.pending.values():
        occasion = pending.occasion
        yield Prospect(
            rule=occasion.rule,
            trigger=occasion.trigger,
            subject=occasion.subject,
            moment=occasion.moment,
            held=pending.why,
            release=pending.release,
        )


def _identity(pending: Pending) -> tuple[str, str, Instant]:
    return pending.occasion.rule, pending.occasion.subject, pending.occasion.moment


def _order(prospect: Prospect) -> tuple[Instant, Instant, str, str]:
    return prospect.at, prospect.moment, prospect.rule, prospect.subject


def _flips(before: Book, after: Book) -> Iterator[Flip]:
    for invoice in after.invoices.values():
        old = before.invoices[invoice.invoice_id]
        if invoice.since is not None and invoice.flipped_at is not None and invoice.since != old.since:
            yield Flip(invoice.invoice_id, invoice.since, invoice.flipped_at)
