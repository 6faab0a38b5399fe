"""Notifications that have grown too old to be handed over come back: do they still hold? (ARCHITECTURE.md, section 5).

An answer goes by the facts that were read before the question, so it says no later than the question's own time when it
was checked. Asked amid a backlog it is old by itself, and the sender asks again, behind the backlog.
"""

from collections.abc import Callable

from msgspec.structs import replace

from app import metrics
from app.contract.errors import ContractError
from app.contract.instants import Instant, format_instant, parse_instant
from app.domain import keys
from app.domain.book import Book
from app.domain.moving import followed
from app.domain.occasion import Occasion
from app.domain.rules import Rulebook
from app.engine.coming import company_of
from app.engine.outbox import Notification, decode_notification, encode
from app.engine.records import Record
from app.engine.ticks import MILLISECOND
from app.triggers import REGISTRY
from app.triggers.base import Present


def answer(record: Record, book_of: Callable[[str], Book], rulebook: Rulebook, now: Instant) -> bytes:
    """Return the notification as it goes to the outbox again: one round on, checked, or withdrawn.

    `book_of` gives an account's book as it stands after the records before. Raises ContractError, which quotes nothing.
    """
    returned = _read(record)
    holds = still_holds(
        _occasion(returned),
        book_of(keys.user_book(returned.account_id) if returned.user else returned.account_id),
        rulebook,
        now,
    )
    metrics.ANSWERS.labels("holds" if holds else "withdrawn").inc()
    checked_at = format_instant(min(now, record.timestamp * MILLISECOND))
    return encode(replace(returned, checked_at=checked_at, round=returned.round + 1, withdrawn=not holds))


def still_holds(occasion: Occasion, book: Book, rulebook: Rulebook, now: Instant) -> bool:
    """Whether it holds at `now`, without the day count (DOMAIN.md, section 4); nothing does where its account is gone.

    An account's company may be gone, too: it is configured no longer. A link that has expired helps nobody.
    """
    if occasion.expires_at is not None and occasion.expires_at <= now:
        return False
    company = company_of(book, rulebook)
    clock = followed(book, company).account.clock if company is not None else None
    if company is None or clock is None:
        return False
    return REGISTRY[occasion.trigger].holds(Present(book, company, clock.day(now), now), occasion)


def _read(record: Record) -> Notification:
    try:
        notification = decode_notification(record.value or b"")
    except ValueError as error:
        raise ContractError("", str(error)) from None
    if record.key != notification.account_id.encode():
        raise ContractError("key", "is unlike account_id")
    if notification.trigger not in REGISTRY:
        raise ContractError("trigger", "is none that this worker knows")
    return notification


def _occasion(notification: Notification) -> Occasion:
    expires_at = None if notification.expires_at is None else _instant("expires_at", notification.expires_at)
    return Occasion(
        rule=notification.rule,
        version=notification.version,
        trigger=notification.trigger,
        x=notification.x,
        subject=notification.subject,
        moment=_instant("moment", notification.moment),
        about=notification.about,
        expires_at=expires_at,
    )


def _instant(field: str, text: str) -> Instant:
    try:
        return parse_instant(text)
    except ValueError:
        raise ContractError(field, "is no instant") from None
