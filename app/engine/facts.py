"""The facts that a decision went by, as its record keeps them (DOMAIN.md, section 6): never a link or an address."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from app.contract.instants import format_instant
from app.domain.account import Account
from app.domain.book import Book
from app.domain.occasion import Occasion

TOLD: Final = ("amount", "attempt")
"""Of what an event said: all else is for the message alone."""


def facts_of(book: Book, occasion: Occasion) -> dict[str, Any]:
    """Return ids, dates, amounts and states of what the subject names, by the book it was decided by, as plain data.

    Of a thing that is not known there is the id alone.
    """
    kind, about = occasion.subject.partition(":")[0], occasion.about
    found: dict[str, Any] = {} if about is None or kind == "event" else {kind: about}
    if kind in _READ:
        things, read = _READ[kind]
        thing = things(book).get(about or "")
        found |= read(thing) if thing is not None else {}
    elif kind == "account":
        found |= _of_account(book.account)
    told = occasion.facts or {}
    return found | {name: told[name] for name in TOLD if name in told}


def _of_invoice(invoice: Any) -> dict[str, Any]:
    facts = {"status": invoice.status, "balance": invoice.balance, "currency": invoice.currency}
    facts |= {"due_on": str(invoice.due_on)}
    return facts if invoice.since is None else facts | {"delinquent_since": str(invoice.since)}


def _of_card(card: Any) -> dict[str, Any]:
    return {"expires": card.expires, "autopay": card.autopay}


def _of_job(job: Any) -> dict[str, Any]:
    return {"scheduled": job.scheduled, "starts_at": format_instant(job.starts_at)}


def _of_usage(usage: Any) -> dict[str, Any]:
    return {"cycle_start": str(usage.cycle_start), "used_bytes": usage.used_bytes, "cap_bytes": usage.cap_bytes}


def _of_account(account: Account) -> dict[str, Any]:
    facts: dict[str, Any] = {} if account.details is None else {"status": account.details.status}
    return facts if account.episode is None else facts | {"delinquent_since": str(account.episode.day)}


_Things = Callable[[Book], Mapping[str, Any]]
_READ: Final[Mapping[str, tuple[_Things, Callable[[Any], dict[str, Any]]]]] = {
    "invoice": (lambda book: book.invoices, _of_invoice),
    "card": (lambda book: book.cards, _of_card),
    "job": (lambda book: book.jobs, _of_job),
    "usage": (lambda book: book.usages, _of_usage),
}
"""By a subject's first word: where the book keeps such things, and what of them is kept."""
