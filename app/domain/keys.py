"""Subjects, dedup keys and row keys are built and parsed here alone (DOMAIN.md, section 3.1)."""

import re
from functools import lru_cache
from urllib.parse import quote, unquote

SAFE_IN_SUBJECTS = "-._~/@+#"
USER_MARK = "\0user\0"
SAFE_IN_ROWS = "-._~@+#"
_PLAIN = re.compile(r"[A-Za-z0-9._~/@+#-]*", re.ASCII).fullmatch
"""What has nothing to encode, as most ids."""


def subject(*names: object) -> str:
    """Build a subject, such as `invoice:i1:2026-06-10:7`: `:` only ever separates."""
    return ":".join([_encoded(name) for name in names])


def dedup_key(rule: str, account: str, about: str, recipient: str, channel: str) -> str:
    """Build `rule|account|subject|recipient|channel`; `about` is a subject built above."""
    return "|".join((_encoded(rule), _encoded(account), about, _encoded(recipient), channel))


def recipient_of(key: str) -> str:
    """Return the recipient's id out of a dedup key."""
    return unquote(key.split("|")[3])


def owner_of(key: str) -> str:
    """Return the account's or user's id out of a dedup key."""
    return unquote(key.split("|")[1])


@lru_cache(maxsize=1 << 16)
def _encoded(value: object) -> str:
    text = str(value)
    return text if _PLAIN(text) else quote(text, safe=SAFE_IN_SUBJECTS)


@lru_cache(maxsize=1 << 16)
def _in_row(value: str) -> str:
    return quote(value, safe=SAFE_IN_ROWS)


def row_account(account: str) -> str:
    """Return the account's id as row and index keys hold it; accounts are done in the order of these."""
    return _in_row(account)


def account_of_row(text: str) -> str:
    """Undo `row_account`."""
    return unquote(text)


def account_prefix(account: str) -> bytes:
    """Return the prefix that all rows of an account's book share, and no other row."""
    return f"account/{row_account(account)}/".encode()


def account_row(account: str) -> bytes:
    """Return the key of the account's own row, the first of its book."""
    return account_prefix(account)


def item_row(account: str, kind: str, item: str) -> bytes:
    """Return the key of one invoice, card, job or usage."""
    return account_prefix(account) + f"{kind}/{_in_row(item)}".encode()


def user_book(user: str) -> str:
    """Return the id of a login's book: no account's id, whatever the user's."""
    return USER_MARK + user


def is_user(book: str) -> bool:
    """Whether it is a login's book."""
    return book.startswith(USER_MARK)


def owner(book: str) -> str:
    """Return the account's or user's id, as it stands in dedup keys and Kafka keys."""
    return book.removeprefix(USER_MARK)


def cap_row(account: str, contact: str) -> bytes:
    """Return the key of how many notifications a contact got today."""
    return f"cap/{row_account(account)}/{_in_row(contact)}".encode()


def pending_row(account: str, rule: str, about: str) -> bytes:
    """Return the key of a moment that has come up and waits to be decided."""
    return account_prefix(account) + f"pending/{_in_row(rule)}|{about}".encode()


def seen_row(account: str) -> bytes:
    """Return the key of the list of event ids known of the account."""
    return account_prefix(account) + b"seen"


def decided_row(account: str, rule: str, about: str) -> bytes:
    """Return the key of what was decided. It stands outside the book, which is read as a whole."""
    return f"decided/{row_account(account)}/{_in_row(rule)}|{about}".encode()


def parse_row(key: bytes) -> tuple[str, str, str]:
    """Split a row key into its table (`account`, `decided`), the account's id and the rest."""
    table, account, rest = key.decode().split("/", 2)
    return table, unquote(account), rest


def zone_key(time_zone: str | None, company: str) -> str:
    """Return the zone under which the index files an account: its own, else its company's."""
    return time_zone or company_zone(company)


def company_zone(company: str) -> str:
    """Return the zone key of accounts that live in their company's zone."""
    return f"company:{_in_row(company)}"


def company_of_zone(zone_key: str) -> str | None:
    """Return the company whose zone it is; None for an IANA zone of the account's own."""
    kind, separator, company = zone_key.partition(":")
    return unquote(company) if separator and kind == "company" else None
