"""`when` of a rule: what must hold of an account (DOMAIN.md section 5)."""

from collections.abc import Collection
from typing import Final

from app.config.entry import Entry, Parser, Refused, suggestion
from app.config.values import currency, flag, text, whole
from app.config.yaml import Node
from app.domain.rules import Filters

_WHEN: Final = "must be fields, as {company: [acme], autopay: false}"
_COMPANIES: Final = "must be a list of companies' ids, as [acme]"
_BALANCE: Final = "must be fields, as {amount: 500, currency: USD}"
_MOST_AMOUNT: Final = 2**53 - 1
FIELDS: Final = (
    "company",
    "account_type",
    "account_status",
    "account_group",
    "autopay",
    "minimum_balance",
    "include_child_accounts",
    "job_type",
)


def read_filters(entry: Entry, companies: Collection[str] | None) -> Filters:
    """Return the field `when`; what is wrong is noted in the entry's sheet.

    `companies` are the ids known, None where that cannot be said. A filter of what the rule's trigger knows nothing of
    is no mistake: it does not hold.
    """
    when = entry.entry("when", _WHEN)
    if when is None:
        return Filters()
    when.only(FIELDS)
    amount, unit = _minimum_balance(when)
    return Filters(
        company=when.each("company", _company(companies), _COMPANIES),
        account_type=_texts(when, "account_type", "residential"),
        account_status=_texts(when, "account_status", "Active"),
        account_group=_texts(when, "account_group", "rural"),
        autopay=when.read("autopay", flag),
        minimum_amount=amount,
        minimum_currency=unit,
        include_child_accounts=when.read("include_child_accounts", flag) is not False,
        job_type=_texts(when, "job_type", "install"),
    )


def _texts(when: Entry, name: str, example: str) -> tuple[str, ...] | None:
    return when.each(name, text, f"must be a list of texts, as [{example}]")


def _company(companies: Collection[str] | None) -> Parser[str]:
    def parse(node: Node) -> str:
        name = text(node)
        if companies is not None and name not in companies:
            known = ", ".join(sorted(companies)) or "none"
            raise Refused(f"must be a company of companies.yaml: {known}{suggestion(name, companies)}")
        return name

    return parse


def _minimum_balance(when: Entry) -> tuple[int | None, str | None]:
    balance = when.entry("minimum_balance", _BALANCE)
    if balance is None:
        return None, None
    balance.only(("amount", "currency"))
    amount = balance.need("amount", whole(0, "minor units", _MOST_AMOUNT), 0)
    return amount, balance.need("currency", currency, "")
