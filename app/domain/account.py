"""The billed customer, as last told, and what Whimbrel keeps of its course (DOMAIN.md, sections 1, 2 and 3.2)."""

from datetime import date
from typing import Literal

import msgspec

from app.contract.instants import Instant
from app.domain.calendar import LocalClock


class Contact(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A person on an account, with its preferences as they stand."""

    contact_id: str
    name: str = ""
    email: str | None = None
    phone: str | None = None
    language: str | None = None
    categories: tuple[str, ...] = ()
    email_opt_out: bool = False
    sms_opt_in: bool = False


class Preferences(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What `preferences_changed` last said of a contact; None where it said nothing, or the account has since."""

    categories: tuple[str, ...] | None = None
    email_opt_out: bool | None = None
    sms_opt_in: bool | None = None


class Details(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What the account's last whole event said."""

    company_id: str
    name: str
    status: str
    number: str | None = None
    account_type: str | None = None
    groups: tuple[str, ...] = ()
    language: str | None = None
    autopay: bool = False
    parent_account_id: str | None = None
    time_zone: str | None = None
    grace_until: date | None = None
    check_weekdays: tuple[int, ...] | None = None
    minimum_amount: int | None = None
    minimum_currency: str | None = None
    contacts: tuple[Contact, ...] = ()


class Login(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A user, who may belong to no account: a book of its own."""

    user_id: str
    name: str
    email: str
    language: str
    company_id: str


class Episode(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A delinquency episode: from the account's first delinquent invoice until none is left."""

    day: date
    """Its first local day, after which it is named."""
    at: Instant
    """The instant of the flip."""
    silent: bool = False
    """A snapshot found it so: trigger 12 never fires for it."""


class Muted(msgspec.Struct, frozen=True, gc=False):
    """Moments that a snapshot would start at its own instant: `identities` are their (rule, subject)."""

    at: Instant
    identities: tuple[tuple[str, str], ...]


class Account(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One account, or one user's login. `details` is None while only others' events have named it: an unknown account.

    `done`: every moment before this instant has come up already (exclusive); see DOMAIN.md section 4, Clocks.
    `wake`: when the next clock move must look at the account whatever its dates say; None: its dates tell.
    """

    account_id: str
    details: Details | None = None
    login: Login | None = None
    preferences: dict[str, Preferences] = {}
    clock: LocalClock | None = None
    done: Instant = 0
    wake: Instant | None = None
    activated: Literal["updated", "snapshot"] | None = None
    initial_invoice: str | None = None
    """The first invoice after the first activation; empty if a snapshot brought it."""
    episode: Episode | None = None
    muted: Muted | None = None
