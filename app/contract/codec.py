"""CloudEvents 1.0 in Kafka records, structured and binary, to typed facts.

Two steps: the envelope with its data left raw, then the decoder of the type. Whatever is wrong comes out as a
ContractError with a field path. It is raised where no library's error is at hand, so that neither its cause nor its
context can hold a value of the record.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from app.contract.breaches import breach_of
from app.contract.errors import ContractError, UnknownType
from app.contract.instants import EARLIEST, LATEST, Instant, instant_of, parse_instant
from app.contract.types import (
    AccountData,
    AccountSnapshot,
    AccountUpdated,
    AddressChanged,
    CardRemoved,
    CardSnapshot,
    CardUpdated,
    ContractSent,
    Data,
    Id,
    InvoiceData,
    InvoiceEmailed,
    InvoiceIssued,
    InvoiceSnapshot,
    InvoiceUpdated,
    JobScheduled,
    JobUnscheduled,
    LateFeeApplied,
    PasswordChanged,
    PasswordResetRequested,
    PaymentFailed,
    PaymentRefunded,
    PaymentSucceeded,
    PreferencesChanged,
    RunCompleted,
    SignedCopySent,
    UsageRecorded,
    UserCreated,
    UserData,
)
from app.contract.zones import is_zone

EVENT_TYPES: dict[str, type[Data]] = {
    "billing.account.snapshot": AccountSnapshot,
    "billing.account.updated": AccountUpdated,
    "billing.invoice.snapshot": InvoiceSnapshot,
    "billing.invoice.issued": InvoiceIssued,
    "billing.invoice.updated": InvoiceUpdated,
    "billing.invoice.emailed": InvoiceEmailed,
    "billing.run.completed": RunCompleted,
    "billing.payment.succeeded": PaymentSucceeded,
    "billing.payment.failed": PaymentFailed,
    "billing.payment.refunded": PaymentRefunded,
    "billing.card.snapshot": CardSnapshot,
    "billing.card.updated": CardUpdated,
    "billing.card.removed": CardRemoved,
    "billing.late_fee.applied": LateFeeApplied,
    "billing.usage.recorded": UsageRecorded,
    "billing.contract.sent": ContractSent,
    "jobs.contract.sent": ContractSent,
    "billing.contract.signed_copy_sent": SignedCopySent,
    "jobs.job.scheduled": JobScheduled,
    "jobs.job.unscheduled": JobUnscheduled,
    "portal.contact.password_changed": PasswordChanged,
    "portal.account.address_changed": AddressChanged,
    "portal.contact.preferences_changed": PreferencesChanged,
    "portal.user.created": UserCreated,
    "portal.user.password_reset_requested": PasswordResetRequested,
}

TOPICS = ("billing.events", "jobs.events", "portal.events")

Headers: TypeAlias = Sequence[tuple[str, bytes]]
_Aware: TypeAlias = Annotated[datetime, Meta(tz=True)]
_A = TypeVar("_A", bound=AccountData)


class Fact(Struct, frozen=True, gc=False):
    """One event. `id` and `source` identify it, `time` is when it happened, `subject` whose it is: account or user."""

    type: str
    id: str
    source: str
    subject: str
    time: Instant
    data: Data

    @property
    def is_snapshot(self) -> bool:
        """State only: it never fires anything."""
        return self.type.endswith(".snapshot")


class Glimpse(Struct, frozen=True, gc=False):
    """What an event that may be broken still says of itself; None is what it does not say readably."""

    type: str | None = None
    subject: str | None = None
    time: Instant | None = None


class _Attributes(Struct, frozen=True, gc=False):
    specversion: Literal["1.0"]
    id: Id
    source: Id
    type: Id
    subject: Id | None = None
    time: _Aware | None = None


class _Envelope(_Attributes, frozen=True, gc=False):
    data: Raw | UnsetType = UNSET


class _Whose(Struct, frozen=True, gc=False):
    subject: Any = None


class _Loose(_Whose, frozen=True, gc=False):
    type: Any = None
    time: Any = None


def decode(value: bytes | None, key: bytes | None, headers: Headers = (), *, keyed: bool = True) -> Fact:
    """Read one record of an input topic.

    Args:
        value: The record's value: the whole event, or in binary mode its data.
        key: The record's key; it must equal the event's subject.
        headers: The record's headers; they tell the content mode.
        keyed: False where there is no record yet, only the event's text, and so no key to compare.

    Raises:
        ContractError: The record cannot be read or breaks the contract.
        UnknownType: It can be read, and its type is not in the contract.
    """
    if value is None:
        raise ContractError("", "null value")
    event, data = _binary(headers, value) if headers and _is_binary(headers) else _structured(value)
    kind = EVENT_TYPES.get(event.type)
    if kind is None:
        raise UnknownType(event.type)
    if event.subject is None:
        raise ContractError("subject", "missing")
    if keyed and key != event.subject.encode():
        raise ContractError("key", "unlike the subject")
    time = _time(event.time)
    return Fact(event.type, event.id, event.source, event.subject, time, _settled(_data(kind, data), event.subject))


def topic_for(type_: str) -> str:
    """The topic that events of this type are published to; `billing.events` for what belongs to none."""
    topic = f"{type_.partition('.')[0]}.events"
    return topic if topic in TOPICS else TOPICS[0]


def glimpse(value: bytes) -> Glimpse:
    """Read what can be read of a structured event, broken or not: what `publish` and `simulate` place it by."""
    try:
        loose = _LOOSE.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Glimpse()
    return Glimpse(_text(loose.type), _text(loose.subject), _instant(loose.time))


def subject_of(value: bytes) -> str | None:
    """Read whose a structured event is, broken or not; None where it does not say so readably. Cheap."""
    try:
        return _text(_WHOSE.decode(value).subject)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _text(loose: object) -> str | None:
    return loose if isinstance(loose, str) and loose else None


def _instant(loose: object) -> Instant | None:
    try:
        return parse_instant(loose) if isinstance(loose, str) else None
    except ValueError:
        return None


def _is_binary(headers: Headers) -> bool:
    for name, _ in headers:
        if name[:3] == "ce_":
            return not _is_event(headers)
    return False


def _is_event(headers: Headers) -> bool:
    said = dict(headers).get("content-type") or b""
    return said.lower().startswith(b"application/cloudevents")


def _structured(value: bytes) -> tuple[_Attributes, Raw | bytes]:
    try:
        envelope = _ENVELOPE.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        breach = breach_of(error, "")
    else:
        return envelope, b"null" if envelope.data is UNSET else envelope.data
    raise breach


def _binary(headers: Headers, value: bytes) -> tuple[_Attributes, Raw | bytes]:
    try:
        # A header without a value is as absent.
        said = {name[3:]: text.decode() for name, text in headers if name.startswith("ce_") and text is not None}
        return msgspec.convert(said, _Attributes), value
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        breach = breach_of(error, "")
    raise breach


def _time(time: datetime | None) -> Instant:
    if time is None:
        raise ContractError("time", "missing")
    instant = instant_of(time)
    if EARLIEST <= instant <= LATEST:
        return instant
    raise ContractError("time", "expected a date and time of the years 1 to 9999")


def _data(kind: type[Data], raw: Raw | bytes) -> Data:
    try:
        return _DECODERS[kind].decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        breach = breach_of(error, "data")
        retry = isinstance(error, msgspec.ValidationError) and b"null" in bytes(raw)
    if retry:
        return _data_without_nulls(kind, raw)
    raise breach


def _data_without_nulls(kind: type[Data], raw: Raw | bytes) -> Data:
    """Read once more: null is as absent, also where a field has another default than None."""
    try:
        return msgspec.convert(_pruned(msgspec.json.decode(raw)), kind, dec_hook=_written)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        breach = breach_of(error, "data")
    raise breach


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _pruned(member) for name, member in value.items() if member is not None}
    return [_pruned(item) for item in value] if isinstance(value, list) else value


def _written(_: type, value: object) -> Instant:
    """Read a WrittenInstant, for msgspec: its ValueErrors come out as ValidationErrors with their path."""
    if isinstance(value, str):
        return parse_instant(value)
    raise ValueError("Expected an RFC 3339 date and time with an offset")


def _settled(data: Data, subject: str) -> Data:
    """Hold the data against the subject, and check what its types alone do not say."""
    if isinstance(data, InvoiceData):
        _same(data.account_id, subject, "data.account_id")
    elif isinstance(data, AccountData):
        _same(data.account_id, subject, "data.account_id")
        return _zoned(data)
    elif isinstance(data, UserData):
        _same(data.user.user_id, subject, "data.user.user_id")
    else:
        _same(data.account_id or subject, subject, "data.account_id")
        if isinstance(data, AddressChanged) and data.old is None and data.new is None:
            raise ContractError("data.old", "missing, and so is data.new")
    return data


def _same(id_: str, subject: str, field: str) -> None:
    if id_ != subject:
        raise ContractError(field, "unlike the subject")


def _zoned(account: _A) -> _A:
    if account.time_zone == "":
        return msgspec.structs.replace(account, time_zone=None)
    if account.time_zone is None or is_zone(account.time_zone):
        return account
    raise ContractError("data.time_zone", "not an IANA time zone")


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_WHOSE = msgspec.json.Decoder(_Whose)
_LOOSE = msgspec.json.Decoder(_Loose)
_DECODERS: dict[type[Data], msgspec.json.Decoder[Data]] = {
    kind: msgspec.json.Decoder(kind, dec_hook=_written) for kind in EVENT_TYPES.values()
}
