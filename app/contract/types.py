"""The data of every event type, as DOMAIN.md section 2 tables them. Unknown fields are ignored, `null` is as absent.

Ids are never empty. Money is an integer of minor units. Dates are local calendar dates, `datetime.date`; instants are
RFC 3339 with an offset in an event and integers (microseconds since the epoch) here. URLs that let someone in
(`sign_url`, `copy_url`, `set_password_url`, `reset_url`) and addresses are secrets: they go into the message alone.
"""

from abc import ABC
from datetime import date
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias, get_args

from msgspec import Meta, Struct

from app.contract.instants import Instant

Id: TypeAlias = Annotated[str, Meta(min_length=1)]
Currency: TypeAlias = Annotated[str, Meta(pattern="^[A-Z]{3}$", max_length=3, description="ISO 4217")]
Month: TypeAlias = Annotated[str, Meta(pattern="^[1-9][0-9]{3}-(0[1-9]|1[0-2])$", max_length=7, description="YYYY-MM")]
# What every JSON reader holds exactly (RFC 8259, section 6), and every row and journal too.
Whole: TypeAlias = Annotated[int, Meta(ge=-(2**53) + 1, le=2**53 - 1)]
Amount: TypeAlias = Annotated[int, Meta(ge=-(2**53) + 1, le=2**53 - 1, description="in minor units")]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**53 - 1)]
GraceDays: TypeAlias = Annotated[int, Meta(ge=0, le=36_500)]

InvoiceStatus: TypeAlias = Literal["open", "paid", "void", "written_off"]
Origin: TypeAlias = Literal["billing_run", "manual", "activation", "late_fee"]
Weekday: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[str, ...] = get_args(Weekday)
Cause: TypeAlias = Literal["manual", "job_completion"]
Via: TypeAlias = Literal["instance", "portal"]
AddressKind: TypeAlias = Literal["physical", "mailing"]

# One line, or an object of lines under the publisher's own names.
Address: TypeAlias = str | dict[str, str | Whole | float | bool | None]

if TYPE_CHECKING:
    WrittenInstant = Instant
else:

    class WrittenInstant(ABC):  # noqa: B024
        """An `Instant`, as the codec reads it from text: a type of its own for msgspec, an int for everybody else."""

    WrittenInstant.register(int)


class Money(Struct, frozen=True, gc=False):
    amount: Amount
    currency: Currency


class Status(Struct, frozen=True, gc=False):
    name: str
    activates: bool


class Delinquency(Struct, frozen=True, gc=False):
    """When invoices may be moved into delinquency: absent `check_weekdays` are all, absent `minimum_amount` is none."""

    check_weekdays: tuple[Weekday, ...] | None = None
    minimum_amount: Money | None = None


class Contact(Struct, frozen=True, gc=False):
    """A person on an account. Absent `categories` and opt-outs keep what `preferences_changed` last said."""

    contact_id: Id
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    language: str | None = None
    categories: tuple[str, ...] | None = None
    email_opt_out: bool | None = None
    sms_opt_in: bool | None = None


class Method(Struct, frozen=True, gc=False):
    """A means of payment: a card, a bank account."""

    kind: str
    last4: str | None = None
    brand: str | None = None


class Technician(Struct, frozen=True, gc=False):
    id: Id
    name: str


class User(Struct, frozen=True, gc=False):
    """A staff or portal login. Its `user_id` is the event's subject."""

    user_id: Id
    name: str
    email: str
    language: str
    company_id: Id


class OfAccount(Struct, frozen=True, gc=False, kw_only=True):
    """What is about an account without being the account or an invoice: it need not say whose, for its subject does."""

    account_id: Id | None = None


class AccountData(Struct, frozen=True, gc=False):
    """A whole account: absent is empty. `time_zone` is an IANA zone, absent for the company's."""

    account_id: Id
    company_id: Id
    name: str
    status: Status
    time_zone: str | None = None
    number: str | None = None
    account_type: str | None = None
    groups: tuple[str, ...] = ()
    language: str | None = None
    autopay: bool = False
    parent_account_id: str | None = None
    grace_until: date | None = None
    delinquency: Delinquency | None = None
    billing_address: Address | None = None
    physical_address: Address | None = None
    contacts: tuple[Contact, ...] = ()


class AccountUpdated(AccountData, frozen=True, gc=False):
    """`billing.account.updated`: the account was created or changed."""


class AccountSnapshot(AccountData, frozen=True, gc=False):
    """`billing.account.snapshot`: state only, for imports and backfills."""


class InvoiceData(Struct, frozen=True, gc=False):
    """A whole invoice. A `version` below the known one is ignored as state."""

    invoice_id: Id
    account_id: Id
    number: str
    currency: Currency
    total: Amount
    balance: Amount
    issued_on: date
    due_on: date
    grace_days: GraceDays
    status: InvoiceStatus = "open"
    auto_pay_on: date | None = None
    pdf_url: str | None = None
    view_url: str | None = None
    origin: Origin | None = None
    version: Whole | None = None


class InvoiceIssued(InvoiceData, frozen=True, gc=False):
    """`billing.invoice.issued`: a new invoice."""


class InvoiceUpdated(InvoiceData, frozen=True, gc=False):
    """`billing.invoice.updated`: the invoice changed; payments change `balance` and `status`."""


class InvoiceSnapshot(InvoiceData, frozen=True, gc=False):
    """`billing.invoice.snapshot`: state only, for imports and backfills."""


class InvoiceEmailed(OfAccount, frozen=True, gc=False):
    """`billing.invoice.emailed`: somebody sent the invoice to a contact by hand."""

    invoice_id: Id
    contact_id: Id
    by: str | None = None


class RunCompleted(OfAccount, frozen=True, gc=False):
    """`billing.run.completed`: the automated billing run finished for the account."""

    run_id: Id
    billed_on: date
    invoice_id: str | None = None
    total: Amount | None = None


class PaymentSucceeded(OfAccount, frozen=True, gc=False):
    """`billing.payment.succeeded`."""

    payment_id: Id
    amount: Amount
    currency: Currency
    method: Method
    autopay: bool
    receipt_requested: bool = False
    receipt_contact_id: str | None = None
    invoice_ids: tuple[Id, ...] = ()


class PaymentFailed(OfAccount, frozen=True, gc=False):
    """`billing.payment.failed`: one attempt, counted by `attempt`."""

    payment_id: Id
    attempt: Count
    amount: Amount
    currency: Currency
    method: Method
    autopay: bool
    reason: str
    retry_on: date | None = None


class PaymentRefunded(OfAccount, frozen=True, gc=False):
    """`billing.payment.refunded`: all or part of a payment."""

    payment_id: Id
    refund_id: Id
    amount: Amount
    currency: Currency
    method: Method


class CardData(OfAccount, frozen=True, gc=False):
    """A stored card; it lives until the last day of the month `expires`."""

    card_id: Id
    brand: str
    last4: str
    expires: Month
    autopay: bool


class CardUpdated(CardData, frozen=True, gc=False):
    """`billing.card.updated`: stored, or changed."""


class CardSnapshot(CardData, frozen=True, gc=False):
    """`billing.card.snapshot`: state only, for imports and backfills."""


class CardRemoved(OfAccount, frozen=True, gc=False):
    """`billing.card.removed`."""

    card_id: Id


class LateFeeApplied(OfAccount, frozen=True, gc=False):
    """`billing.late_fee.applied`."""

    invoice_id: Id
    amount: Amount
    currency: Currency
    automatic: bool


class UsageRecorded(OfAccount, frozen=True, gc=False):
    """`billing.usage.recorded`: used so far in the cycle; the cap includes top-offs."""

    policy_id: Id
    cycle_start: date
    cycle_end: date
    used_bytes: Count
    cap_bytes: Count


class ContractSent(OfAccount, frozen=True, gc=False):
    """`billing.contract.sent` and `jobs.contract.sent`: a contract waits for a signature."""

    contract_id: Id
    contact_id: Id
    sign_url: str
    custom_message: str | None = None
    cause: Cause | None = None


class SignedCopySent(OfAccount, frozen=True, gc=False):
    """`billing.contract.signed_copy_sent`."""

    contract_id: Id
    contact_id: Id
    copy_url: str | None = None


class JobScheduled(OfAccount, frozen=True, gc=False):
    """`jobs.job.scheduled`: the job has a time and a technician."""

    job_id: Id
    job_type: str
    starts_at: WrittenInstant
    ends_at: WrittenInstant
    technician: Technician
    address: Address | None = None


class JobUnscheduled(OfAccount, frozen=True, gc=False):
    """`jobs.job.unscheduled`."""

    job_id: Id


class PasswordChanged(OfAccount, frozen=True, gc=False):
    """`portal.contact.password_changed`."""

    contact_id: Id
    via: Via | None = None
    ip: str | None = None


class AddressChanged(OfAccount, frozen=True, gc=False):
    """`portal.account.address_changed`: an address that was not there before, or is there no longer, is absent."""

    kind: AddressKind
    old: Address | None = None
    new: Address | None = None


class PreferencesChanged(OfAccount, frozen=True, gc=False):
    """`portal.contact.preferences_changed`: what is absent stays as it was."""

    contact_id: Id
    categories: tuple[str, ...] | None = None
    email_opt_out: bool | None = None
    sms_opt_in: bool | None = None


class UserData(Struct, frozen=True, gc=False):
    """What is about a login, which may belong to no account: the event's subject is its id."""

    user: User


class UserCreated(UserData, frozen=True, gc=False):
    """`portal.user.created`, and again with `resend`."""

    set_password_url: str
    expires_at: WrittenInstant
    resend: bool = False


class PasswordResetRequested(UserData, frozen=True, gc=False):
    """`portal.user.password_reset_requested`."""

    reset_url: str
    expires_at: WrittenInstant


Data: TypeAlias = (
    AccountUpdated
    | AccountSnapshot
    | InvoiceIssued
    | InvoiceUpdated
    | InvoiceSnapshot
    | InvoiceEmailed
    | RunCompleted
    | PaymentSucceeded
    | PaymentFailed
    | PaymentRefunded
    | CardUpdated
    | CardSnapshot
    | CardRemoved
    | LateFeeApplied
    | UsageRecorded
    | ContractSent
    | SignedCopySent
    | JobScheduled
    | JobUnscheduled
    | PasswordChanged
    | AddressChanged
    | PreferencesChanged
    | UserCreated
    | PasswordResetRequested
)

# The closed lists, by field name: msgspec's own message would quote the value that is in none of them.
ACCEPTED: dict[str, tuple[str, ...]] = {
    "specversion": ("1.0",),
    "status": get_args(InvoiceStatus),
    "origin": get_args(Origin),
    "check_weekdays": WEEKDAYS,
    "cause": get_args(Cause),
    "via": get_args(Via),
    "kind": get_args(AddressKind),
}
