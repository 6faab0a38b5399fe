"""Whether a rule's `when` holds of an account (DOMAIN.md, section 5)."""

from app.domain.book import Book
from app.domain.occasion import Occasion
from app.domain.rules import Filters

EVERYBODY = Filters()


def passes(when: Filters, book: Book, occasion: Occasion) -> bool:
    """Whether all filters hold; a missing value in a filter's field does not."""
    if when == EVERYBODY:
        return True
    details = book.account.details
    if details is None:  # a login, which has a company and nothing else
        return only_company(when) and _one_of(when.company, book.company_id)
    return (
        _one_of(when.company, details.company_id)
        and _one_of(when.account_type, details.account_type)
        and _one_of(when.account_status, details.status)
        and (when.account_group is None or not set(when.account_group).isdisjoint(details.groups))
        and when.autopay in (None, details.autopay)
        and (when.include_child_accounts or details.parent_account_id is None)
        and _one_of(when.job_type, (occasion.facts or {}).get("job_type"))
        and _balance_reaches(when, book, occasion)
    )


def only_company(when: Filters) -> bool:
    """Whether nothing but the company is asked for."""
    return Filters(company=when.company) == when


def _one_of(accepted: tuple[str, ...] | None, value: str | None) -> bool:
    return accepted is None or value in accepted


def _balance_reaches(when: Filters, book: Book, occasion: Occasion) -> bool:
    if when.minimum_amount is None:
        return True
    if occasion.subject.startswith("invoice:"):
        named = book.invoices.get(occasion.about or "")
        invoices = [named] if named else []
    else:
        invoices = book.open_invoices()
        if not invoices:  # which is 0 of whatever currency
            return when.minimum_amount <= 0
    balances = [invoice.balance for invoice in invoices if invoice.currency == when.minimum_currency]
    return bool(balances) and sum(balances) >= when.minimum_amount
