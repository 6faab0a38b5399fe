"""What triggers and sender tell each other: records of the topics outbox and deliveries, JSON, keyed by account id."""

from typing import Literal

import msgspec

FORMAT = 1
"""Of both records; a reader refuses one that is newer."""

DeliveryOutcome = Literal[
    "accepted",
    "deferred",
    "rejected",
    "expired",
    "template_error",
    "suppressed",
    "withdrawn",
    "unknown_outcome",
]
"""What became of an attempt to hand a notification over: DOMAIN.md, section 4.1."""


class SendingCompany(msgspec.Struct, frozen=True, kw_only=True):
    """The company as the message shows it."""

    id: str
    name: str
    from_name: str
    from_address: str
    reply_to: str | None = None


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """A decision to write, on its way to one recipient over one channel. Instants are RFC 3339 in UTC.

    `address`, `name` and `variables` are as secret as what they may hold (a reset link): the message and its way only.
    """

    format: int = FORMAT
    dedup_key: str
    rule: str
    version: int
    trigger: str
    template: str
    account_id: str
    """The account's; the user's own id where `user` says so: a login may belong to no account."""
    user: bool = False
    subject: str
    x: int | None = None
    """The rule's X at the decision."""
    about: str | None = None
    """The id of what the subject names: an invoice, a payment."""
    channel: str = "email"
    recipient: str
    """The contact's id (or user's), never the address."""
    address: str
    name: str = ""
    language: str | None = None
    """The recipient's own; None: the company's locale decides."""
    locale: str
    """Of the company, as written: en_US."""
    time_zone: str
    company: SendingCompany
    variables: msgspec.Raw
    """The trigger's `Variables` as JSON; `pack_variables` makes it, `variables_as` reads it back."""
    expires_at: str | None = None
    """When its link is of no use any more."""
    moment: str
    decided_at: str
    checked_at: str
    """By the facts of this instant it held: the decision's, or the latest answer's; unchanged when sent again."""
    round: int = 1
    """Counts the answers: the decision's is the first."""
    withdrawn: bool = False
    """An answer: it does not hold any longer and is not to be handed over."""
    critical: bool = False
    fresh: bool = False
    """Never too old to hand over: true in external mode, where time is data."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a notification. `reason` is a phrase of ours or an SMTP reply's code, never a reply's text."""

    format: int = FORMAT
    dedup_key: str
    account_id: str
    rule: str
    channel: str
    recipient: str
    outcome: DeliveryOutcome
    reason: str | None
    message_id: str | None
    attempts: int
    """Hand-overs begun, this one included: connections that got nowhere count."""
    at: str


_encode = msgspec.json.Encoder().encode
_decode_notification = msgspec.json.Decoder(Notification).decode


def pack_variables(variables: msgspec.Struct) -> msgspec.Raw:
    """Return a trigger's typed variables as they travel: JSON, dates YYYY-MM-DD, money {amount, currency}."""
    return msgspec.Raw(_encode(variables))


def encode(record: Notification | Delivery) -> bytes:
    """Return `record` as its topic holds it."""
    return _encode(record)


def decode_notification(value: bytes) -> Notification:
    """Read a record of the outbox; raise `ValueError` naming the field, never its value, where it cannot be read."""
    try:
        notification = _decode_notification(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(_without_values(str(error))) from None
    if notification.format > FORMAT:
        raise ValueError(f"format {notification.format} is newer than this worker's {FORMAT}")
    return notification


def _without_values(message: str) -> str:
    kind, separator, path = message.rpartition(" - at `")
    return f"cannot be read at {path.rstrip('`')}" if separator and kind else "cannot be read"
