"""12: an account becomes delinquent: its first invoice is moved in, one message an episode (or one an invoice)."""

from collections.abc import Iterator
from datetime import date

import msgspec

from app.domain.account import Episode
from app.domain.invoice import Invoice
from app.domain.keys import subject
from app.domain.occasion import Occasion
from app.domain.rules import Rule
from app.triggers.base import AccountVariables, Coming, DayTrigger, Money, Present, account_variables, invoice_of


class DelinquentInvoice(msgspec.Struct, frozen=True):
    """One line of the message."""

    invoice_number: str
    balance: Money
    due_on: date
    view_url: str | None


class Variables(AccountVariables, frozen=True, kw_only=True):
    """`open_total`: of the delinquent invoices' first currency; `invoices`: the delinquent ones, oldest first."""

    delinquent_since: date
    open_total: Money
    invoices: tuple[DelinquentInvoice, ...]


def coming(present: Present, rule: Rule) -> Iterator[Coming]:
    """The episode's first day, or with `per: invoice` each invoice's; never before the flip, none of a snapshot's."""
    account = present.book.account
    if rule.per == "invoice":
        for invoice in present.book.invoices.values():
            if invoice.since is not None and not invoice.silent:
                yield Coming(invoice.since, _per_invoice(invoice), invoice.invoice_id, invoice.flipped_at)
    elif account.episode is not None and not account.episode.silent:
        yield Coming(account.episode.day, _per_episode(account.account_id, account.episode), None, account.episode.at)


def _per_invoice(invoice: Invoice) -> tuple[object, ...]:
    return "invoice", invoice.invoice_id, invoice.since


def _per_episode(account_id: str, episode: Episode) -> tuple[object, ...]:
    return "account", account_id, episode.day


def holds(present: Present, occasion: Occasion) -> bool:
    """The same episode runs; per invoice, it is delinquent since the same day."""
    if occasion.about is not None:
        invoice = invoice_of(present, occasion)
        return invoice is not None and invoice.since is not None and occasion.subject == subject(*_per_invoice(invoice))
    account = present.book.account
    if account.episode is None:
        return False
    return occasion.subject == subject(*_per_episode(account.account_id, account.episode))


def message(present: Present, occasion: Occasion) -> Variables:
    """Return what is delinquent by now; with `per: invoice` that invoice alone."""
    invoices = [i for i in present.book.invoices.values() if i.since is not None]
    if occasion.about is not None:
        invoices = [i for i in invoices if i.invoice_id == occasion.about]
    invoices.sort(key=lambda invoice: (invoice.due_on, invoice.number))
    currency = invoices[0].currency
    return Variables(
        **account_variables(present),
        delinquent_since=min(invoice.since or present.today for invoice in invoices),
        open_total=Money(sum(i.balance for i in invoices if i.currency == currency), currency),
        invoices=tuple(
            DelinquentInvoice(i.number, Money(i.balance, i.currency), i.due_on, i.view_url) for i in invoices
        ),
    )


TRIGGER = DayTrigger(
    id="account_becomes_delinquent",
    variables=Variables,
    message=message,
    holds=holds,
    coming=coming,
    anchors=("episode", "since"),
    anchored=lambda day, _x: day,
    options=frozenset({"per"}),
)
