"""What is refused, where it says so, and that it never quotes what it refuses."""

import re
from collections.abc import Callable, Iterator
from typing import TypeAlias

import msgspec
import pytest
from msgspec import inspect

from app.contract import codec
from app.contract.breaches import breach_of
from app.contract.codec import EVENT_TYPES, Headers, decode
from app.contract.errors import ContractError, UnknownType
from app.contract.types import ACCEPTED
from tests.unit.contract.examples import Event, example, required_of, with_data, without, written

NO_INSTANT = "expected an RFC 3339 date and time with an offset"


def breach(value: bytes | None, key: bytes | None = b"acct-1042", headers: Headers = ()) -> tuple[str, str]:
    with pytest.raises(ContractError) as refused:
        decode(value, key, headers)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None
    return refused.value.field, refused.value.reason


def breach_of_event(event: Event) -> tuple[str, str]:
    return breach(written(event), event["subject"].encode())


def test_a_null_value_is_no_event() -> None:
    assert breach(None) == ("", "null value")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "not JSON: Input data was truncated"),
        (b"hello", "not JSON: invalid character (byte 0)"),
        (b'{"id": "1"', "not JSON: Input data was truncated"),
        (written(example("billing.card.removed")) + b" more", "not JSON: trailing characters (byte "),
        (b"\xef\xbb\xbf{}", "not JSON: "),
        (b'{"id": "\xff\xfe"}', "not UTF-8"),
        (b'{"id": "\\ud800"}', "not JSON: "),
        (b"[]", "expected object, got array"),
        (b'"text"', "expected object, got str"),
        (b"5", "expected object, got int"),
        (b"null", "missing"),
        (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    ],
)
def test_a_record_that_is_no_json_object_is_refused_as_a_whole(value: bytes, reason: str) -> None:
    field, said = breach(value)
    assert field == ""
    assert said.startswith(reason)


@pytest.mark.parametrize("absent", ["specversion", "id", "source", "type", "subject", "time", "data"])
@pytest.mark.parametrize("how", ["left out", "null"])
def test_every_attribute_is_required_and_null_is_as_absent(absent: str, how: str) -> None:
    event = example("billing.invoice.issued")
    event = {**event, absent: None} if how == "null" else {name: event[name] for name in event if name != absent}
    assert breach(written(event)) == (absent, "missing")


@pytest.mark.parametrize(
    ("attributes", "field", "reason"),
    [
        ({"specversion": "0.3"}, "specversion", "expected one of 1.0"),
        ({"specversion": 1.0}, "specversion", "expected str, got float"),
        ({"id": ""}, "id", "expected str of length >= 1"),
        ({"id": 17}, "id", "expected str, got int"),
        ({"source": ""}, "source", "expected str of length >= 1"),
        ({"type": ["a"]}, "type", "expected str, got array"),
        ({"subject": ""}, "subject", "expected str of length >= 1"),
        ({"subject": 1042}, "subject", "expected str | null, got int"),
        ({"time": "2026-06-10T13:00:00"}, "time", "expected datetime with a timezone component"),
        ({"time": "2026-06-10"}, "time", "invalid RFC3339 encoded datetime"),
        ({"time": "soon"}, "time", "invalid RFC3339 encoded datetime"),
        ({"time": 1781096400}, "time", "expected datetime | null, got int"),
        ({"time": "0001-01-01T00:00:00Z"}, "time", "expected a date and time of the years 1 to 9999"),
        ({"time": "9999-12-31T23:00:00Z"}, "time", "expected a date and time of the years 1 to 9999"),
        ({"data": []}, "data", "expected object, got array"),
        ({"data": "text"}, "data", "expected object, got str"),
        ({"data": True}, "data", "expected object, got bool"),
    ],
)
def test_a_wrong_attribute_is_refused_by_its_name(attributes: Event, field: str, reason: str) -> None:
    assert breach(written(example("billing.invoice.issued", **attributes))) == (field, reason)


def test_a_record_without_a_key_or_with_another_is_refused() -> None:
    value = written(example("billing.invoice.issued"))
    assert breach(value, None) == ("key", "unlike the subject")
    assert breach(value, b"") == ("key", "unlike the subject")
    assert breach(value, b"acct-1043") == ("key", "unlike the subject")
    assert breach(value, b"\xff") == ("key", "unlike the subject")


@pytest.mark.parametrize("type_", [name for name in EVENT_TYPES if not name.startswith("portal.user.")])
def test_an_account_id_unlike_the_subject_is_refused_of_all_that_is_about_an_account(type_: str) -> None:
    assert breach_of_event(with_data(type_, account_id="acct-1")) == ("data.account_id", "unlike the subject")


@pytest.mark.parametrize("type_", ["portal.user.created", "portal.user.password_reset_requested"])
def test_a_user_id_unlike_the_subject_is_refused(type_: str) -> None:
    assert breach_of_event(example(type_, subject="user-10")) == ("data.user.user_id", "unlike the subject")


@pytest.mark.parametrize(
    ("type_", "member"), [(type_, member) for type_ in EVENT_TYPES for member in required_of(type_)]
)
def test_every_required_member_must_be_there_and_null_is_as_absent(type_: str, member: str) -> None:
    assert breach_of_event(without(type_, member)) == (f"data.{member}", "missing")
    assert breach_of_event(with_data(type_, **{member: None})) == (f"data.{member}", "missing")


def test_an_address_that_changed_was_there_before_or_is_there_now() -> None:
    type_ = "portal.account.address_changed"
    neither = with_data(type_, old=None)
    del neither["data"]["new"]
    assert breach_of_event(neither) == ("data.old", "missing, and so is data.new")


@pytest.mark.parametrize(
    ("type_", "member"), [(type_, member) for type_ in EVENT_TYPES for member in example(type_)["data"]]
)
def test_no_member_takes_a_value_of_another_kind(type_: str, member: str) -> None:
    field, reason = breach_of_event(with_data(type_, **{member: [[-0.5]]}))
    assert re.match(rf"data\.{member}(\[0\])?$", field)
    assert re.match(r"expected (?!.*0\.5)", reason)


CONTACT = {"contact_id": "c-1", "email": "ann@rivera.example"}


@pytest.mark.parametrize(
    ("type_", "members", "field", "reason"),
    [
        ("billing.invoice.issued", {"total": "4999"}, "total", "expected int, got str"),
        ("billing.invoice.issued", {"total": True}, "total", "expected int, got bool"),
        ("billing.invoice.issued", {"balance": 49.99}, "balance", "expected int, got float"),
        ("billing.invoice.issued", {"balance": 5000.0}, "balance", "expected int, got float"),
        ("billing.invoice.issued", {"balance": 2**53}, "balance", "expected int <= 9007199254740991"),
        ("billing.invoice.issued", {"balance": -(2**53)}, "balance", "expected int >= -9007199254740991"),
        ("billing.invoice.issued", {"balance": 10**400}, "balance", "expected int <= 9007199254740991"),
        ("billing.invoice.issued", {"grace_days": -1}, "grace_days", "expected int >= 0"),
        ("billing.invoice.issued", {"grace_days": 36_501}, "grace_days", "expected int <= 36500"),
        ("billing.invoice.issued", {"currency": "usd"}, "currency", "expected str matching regex '^[A-Z]{3}$'"),
        ("billing.invoice.issued", {"currency": "USD\n"}, "currency", "expected str of length <= 3"),
        ("billing.invoice.issued", {"due_on": "2026-06-31"}, "due_on", "invalid RFC3339 encoded date"),
        ("billing.invoice.issued", {"due_on": "10.06.2026"}, "due_on", "invalid RFC3339 encoded date"),
        ("billing.invoice.issued", {"due_on": "2026-06-10T00:00:00Z"}, "due_on", "invalid RFC3339 encoded date"),
        ("billing.invoice.issued", {"due_on": 20260610}, "due_on", "expected date, got int"),
        ("billing.invoice.issued", {"status": "overdue"}, "status", "expected one of open, paid, void, written_off"),
        ("billing.invoice.issued", {"invoice_id": ""}, "invoice_id", "expected str of length >= 1"),
        ("billing.account.updated", {"autopay": "yes"}, "autopay", "expected bool, got str"),
        ("billing.account.updated", {"autopay": 1}, "autopay", "expected bool, got int"),
        ("billing.account.updated", {"status": "Active"}, "status", "expected object, got str"),
        ("billing.account.updated", {"status": {"name": "Active"}}, "status.activates", "missing"),
        ("billing.account.updated", {"contacts": [{"email": "x"}]}, "contacts[0].contact_id", "missing"),
        (
            "billing.account.updated",
            {"contacts": [CONTACT, CONTACT | {"email": 5}]},
            "contacts[1].email",
            "expected str | null, got int",
        ),
        ("billing.account.updated", {"contacts": [None]}, "contacts[0]", "missing"),
        ("billing.account.updated", {"contacts": CONTACT}, "contacts", "expected array, got object"),
        ("billing.account.updated", {"groups": ["rural", 5]}, "groups[1]", "expected str, got int"),
        (
            "billing.account.updated",
            {"billing_address": {"geo": {"lat": 1}}},
            "billing_address[...]",
            "expected bool | int | float | str | null, got object",
        ),
        (
            "billing.account.updated",
            {"delinquency": {"check_weekdays": ["mon", "monday"]}},
            "delinquency.check_weekdays[1]",
            "expected one of mon, tue, wed, thu, fri, sat, sun",
        ),
        (
            "billing.account.updated",
            {"delinquency": {"minimum_amount": {"amount": 5}}},
            "delinquency.minimum_amount.currency",
            "missing",
        ),
        (
            "billing.card.updated",
            {"expires": "2027-13"},
            "expires",
            "expected str matching regex '^[1-9][0-9]{3}-(0[1-9]|1[0-2])$'",
        ),
        ("billing.payment.failed", {"attempt": -1}, "attempt", "expected int >= 0"),
        ("billing.payment.failed", {"method": {"last4": "4242"}}, "method.kind", "missing"),
        ("billing.usage.recorded", {"used_bytes": -1}, "used_bytes", "expected int >= 0"),
        ("jobs.job.scheduled", {"starts_at": "2026-06-20T09:00:00"}, "starts_at", NO_INSTANT),
        ("jobs.job.scheduled", {"starts_at": 1781096400}, "starts_at", NO_INSTANT),
        ("jobs.job.scheduled", {"technician": {"id": "t"}}, "technician.name", "missing"),
        ("portal.account.address_changed", {"kind": "postal"}, "kind", "expected one of physical, mailing"),
        ("portal.user.created", {"resend": "true"}, "resend", "expected bool, got str"),
    ],
)
def test_a_wrong_member_is_refused_with_its_path(type_: str, members: Event, field: str, reason: str) -> None:
    assert breach_of_event(with_data(type_, **members)) == (f"data.{field}", reason)


@pytest.mark.parametrize(
    "zone",
    ["Chicago", "CST", "-05:00", " ", "localtime", "Factory", "America", "../etc/passwd", "a\x00b", "america/chicago"],
)
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    event = with_data("billing.account.updated", time_zone=zone)
    assert breach_of_event(event) == ("data.time_zone", "not an IANA time zone")


def test_a_breach_is_found_behind_nulls_that_are_as_absent() -> None:
    event = with_data("billing.account.updated", groups=None, contacts=[{"contact_id": "c", "email": 5}])
    assert breach_of_event(event) == ("data.contacts[0].email", "expected str | null, got int")


def test_data_that_only_its_own_decoder_can_refuse_is_refused() -> None:
    value = written(example("billing.card.removed")).replace(b"card-5", b"\xff")
    assert breach(value) == ("data", "not UTF-8")
    value = written(example("billing.card.removed")).replace(b"card-5", b"\\ud800")
    assert breach(value)[1].startswith("not JSON: ")


def test_a_number_that_no_integer_holds_is_refused() -> None:
    value = written(with_data("billing.invoice.issued", total=77)).replace(b"77,", b"7" * 5000 + b",")
    assert breach(value) == ("data.total", "integer value out of range")


def test_a_null_beside_an_unreadable_member_is_a_breach_too() -> None:
    value = written(with_data("billing.account.updated", groups=None, other="@")).replace(b'"@"', b'"\xff"')
    assert breach(value) == ("data", "not UTF-8")


Headings: TypeAlias = dict[str, bytes]


def ce(event: Event, **others: bytes) -> list[tuple[str, bytes]]:
    said = {name: str(event[name]).encode() for name in event if name != "data"}
    return [(f"ce_{name}", text) for name, text in (said | others).items()]


@pytest.mark.parametrize(
    ("others", "field", "reason"),
    [
        ({"id": b""}, "id", "expected str of length >= 1"),
        ({"id": None}, "id", "missing"),
        ({"specversion": None}, "specversion", "missing"),
        ({"subject": None}, "subject", "missing"),
        ({"time": None}, "time", "missing"),
        ({"time": b"2026-06-10T13:00:00"}, "time", "expected datetime with a timezone component"),
        ({"source": b"\xff"}, "", "not UTF-8"),
        ({"subject": b"acct-1"}, "key", "unlike the subject"),
    ],
)
def test_wrong_headers_of_binary_mode_are_refused_by_the_attribute(others: Headings, field: str, reason: str) -> None:
    event = example("billing.invoice.issued")
    assert breach(written(event["data"]), b"acct-1042", ce(event, **others)) == (field, reason)


def test_binary_mode_says_of_its_data_what_structured_mode_says() -> None:
    event = with_data("billing.invoice.issued", total="much")
    assert breach(written(event["data"]), b"acct-1042", ce(event)) == ("data.total", "expected int, got str")
    assert breach(b"", b"acct-1042", ce(event)) == ("data", "not JSON: Input data was truncated")
    assert breach(None, b"acct-1042", ce(event)) == ("", "null value")


UNKNOWN = {"specversion": "1.0", "id": "1", "source": "/billing", "type": "billing.something.new"}


@pytest.mark.parametrize(
    "beside", [{}, {"subject": "acct-1"}, {"data": [5]}, {"time": None, "subject": None, "data": None}]
)
def test_a_readable_event_of_an_unknown_type_is_no_breach_whatever_else_it_holds(beside: Event) -> None:
    with pytest.raises(UnknownType, match=r"^unknown type billing\.something\.new$") as passed_over:
        decode(written(UNKNOWN | beside), b"acct-1042")
    assert passed_over.value.type == "billing.something.new"


def test_binary_mode_passes_over_unknown_types_too() -> None:
    with pytest.raises(UnknownType):
        decode(b"<xml/>", b"acct-1042", ce(UNKNOWN))


def test_an_unreadable_event_of_an_unknown_type_is_a_breach() -> None:
    assert breach(written(UNKNOWN | {"time": "soon"})) == ("time", "invalid RFC3339 encoded datetime")


def test_a_breach_tells_its_field_and_reason() -> None:
    assert str(ContractError("data.due_on", "missing")) == "data.due_on: missing"
    assert str(ContractError("", "null value")) == "null value"


def refusal_of(event: Event) -> ContractError | None:
    try:
        decode(written(event), event["subject"].encode())
    except ContractError as refused:
        return refused
    return None


SECRET = "https://portal.acme.example/reset/Qw7"


@pytest.mark.parametrize(
    ("type_", "member"), [(type_, member) for type_ in EVENT_TYPES for member in example(type_)["data"]]
)
@pytest.mark.parametrize(
    "wrap", [lambda s: s, lambda s: {s: s}, lambda s: [s, {s: [s]}], lambda s: f"{s} - at `$.{s}`"]
)
def test_no_reason_and_no_path_quotes_the_record(type_: str, member: str, wrap: Callable[[str], object]) -> None:
    refused = refusal_of(with_data(type_, **{member: wrap(SECRET)}))
    assert "Qw7" not in repr(refused)
    assert "`" not in str(refused)
    assert refused is None or refused.__context__ is None


def test_a_message_that_nobody_foresaw_is_not_passed_on() -> None:
    assert (
        breach_of(msgspec.ValidationError(f"Odd value '{SECRET}' - at `$.new`"), "data").reason
        == "not a value of its kind"
    )


def closed_lists(info: inspect.Type) -> Iterator[tuple[str, tuple[object, ...]]]:
    """The closed lists of a Struct, by field name, however deep."""
    for field in info.fields if isinstance(info, inspect.StructType) else ():
        parts = [field.type]
        while parts:
            part = parts.pop()
            parts += getattr(part, "types", ())
            parts += [part.item_type] if hasattr(part, "item_type") else []
            if isinstance(part, inspect.StructType):
                yield from closed_lists(part)
            elif isinstance(part, inspect.LiteralType):
                yield field.name, part.values


@pytest.mark.parametrize("kind", [*EVENT_TYPES.values(), codec._Envelope])
def test_every_closed_list_can_be_told_to_who_misses_it(kind: type) -> None:
    for name, values in closed_lists(inspect.type_info(kind)):
        assert set(ACCEPTED[name]) == set(values)
