from datetime import date

import pytest

from app.contract.codec import EVENT_TYPES, TOPICS, Fact, Glimpse, decode, glimpse, topic_for
from app.contract.instants import parse_instant
from app.contract.types import (
    AccountUpdated,
    Contact,
    Delinquency,
    InvoiceIssued,
    JobScheduled,
    Method,
    Money,
    PaymentSucceeded,
    Status,
    Technician,
    User,
    UserCreated,
)
from tests.unit.contract.examples import Event, example, required_of, with_data, without, written


def read(event: Event) -> Fact:
    return decode(written(event), event["subject"].encode())


@pytest.mark.parametrize("type_", EVENT_TYPES)
def test_the_example_of_every_type_is_a_fact_of_its_struct(type_: str) -> None:
    event = example(type_)
    fact = read(event)
    assert (fact.type, fact.id, fact.source, fact.subject) == (type_, event["id"], event["source"], event["subject"])
    assert fact.time == parse_instant(event["time"])
    assert type(fact.data) is EVENT_TYPES[type_]


@pytest.mark.parametrize("type_", EVENT_TYPES)
def test_only_snapshots_are_snapshots(type_: str) -> None:
    assert read(example(type_)).is_snapshot == (type_.split(".")[2] == "snapshot")


def test_an_account_keeps_every_field() -> None:
    data = read(example("billing.account.updated")).data
    assert isinstance(data, AccountUpdated)
    assert data.status == Status("Active", activates=True)
    assert data.grace_until == date(2026, 6, 20)
    assert data.delinquency == Delinquency(("mon", "tue", "wed", "thu", "fri"), Money(500, "USD"))
    assert data.contacts == (
        Contact(
            "c-1",
            "Ann Rivera",
            "ann@rivera.example",
            "+13095550142",
            "en",
            ("financial", "general"),
            email_opt_out=False,
            sms_opt_in=True,
        ),
    )
    assert (data.time_zone, data.groups, data.autopay) == ("America/Chicago", ("rural",), True)


def test_money_is_an_integer_and_dates_are_local() -> None:
    data = read(example("billing.invoice.issued")).data
    assert isinstance(data, InvoiceIssued)
    assert (data.total, data.due_on, data.grace_days) == (4999, date(2026, 6, 15), 5)
    assert (data.auto_pay_on, data.origin, data.version) == (date(2026, 6, 12), "billing_run", 1)


def test_an_invoice_without_status_is_open() -> None:
    data = read(without("billing.invoice.issued", "status")).data
    assert isinstance(data, InvoiceIssued)
    assert data.status == "open"


def test_instants_in_the_data_are_plain_integers() -> None:
    data = read(example("jobs.job.scheduled")).data
    assert isinstance(data, JobScheduled)
    assert data.technician == Technician("tech-2", "Lee Park")
    assert (data.starts_at, data.ends_at) == (
        parse_instant("2026-06-20T14:00:00Z"),
        parse_instant("2026-06-20T16:00:00Z"),
    )
    assert type(data.starts_at) is int


def test_a_user_is_the_subject_of_its_events() -> None:
    fact = read(example("portal.user.created"))
    assert isinstance(fact.data, UserCreated)
    assert fact.data.user == User("user-9", "Sam Ortiz", "sam@acme.example", "en", "acme")
    assert fact.subject == "user-9"


def test_of_a_method_only_the_kind_is_required() -> None:
    data = read(with_data("billing.payment.succeeded", method={"kind": "bank"})).data
    assert isinstance(data, PaymentSucceeded)
    assert data.method == Method("bank")


ONE_OF = {"portal.account.address_changed": ("new",)}
"""Of members that may be absent, but not all of them: one."""


@pytest.mark.parametrize("type_", EVENT_TYPES)
def test_null_is_as_absent_in_every_field_that_may_be_absent(type_: str) -> None:
    event = example(type_)
    kept = [*required_of(type_), *ONE_OF.get(type_, ())]
    bare = event | {"data": {name: event["data"][name] for name in kept}}
    nulls = event | {"data": dict.fromkeys(event["data"]) | bare["data"]}
    assert read(nulls) == read(bare)


def test_null_is_as_absent_deep_inside_too() -> None:
    contact = {"contact_id": "c-1", "categories": None, "email_opt_out": None, "email": None}
    event = with_data("billing.account.updated", contacts=[contact], groups=None, billing_address={"line2": None})
    data = read(event).data
    assert isinstance(data, AccountUpdated)
    assert data.contacts == (Contact("c-1"),)
    assert (data.groups, data.billing_address) == ((), {})


@pytest.mark.parametrize("absent", ["", None])
def test_an_empty_time_zone_is_as_absent(absent: str | None) -> None:
    data = read(with_data("billing.account.updated", time_zone=absent)).data
    assert isinstance(data, AccountUpdated)
    assert data.time_zone is None


@pytest.mark.parametrize("zone", ["UTC", "America/Argentina/ComodRivadavia", "Etc/GMT+5"])
def test_every_iana_zone_is_accepted(zone: str) -> None:
    data = read(with_data("billing.account.snapshot", time_zone=zone)).data
    assert getattr(data, "time_zone", None) == zone


def test_unknown_fields_are_ignored() -> None:
    event = with_data("billing.card.removed", colour="green", nested={"a": [1, None]}) | {"traceparent": "00-1"}
    assert read(event) == read(example("billing.card.removed"))


@pytest.mark.parametrize("address", ["12 Main St", {}, {"line1": "12 Main St", "zip": 61602, "lat": 40.7, "po": False}])
def test_an_address_is_a_line_or_an_object_of_lines(address: object) -> None:
    data = read(with_data("portal.account.address_changed", new=address)).data
    assert getattr(data, "new", None) == address


def test_a_key_is_compared_in_utf_8() -> None:
    event = without("billing.card.removed", "account_id") | {"subject": "kündin-1"}
    assert decode(written(event), "kündin-1".encode()).subject == "kündin-1"


def test_an_event_without_a_record_has_no_key_to_compare() -> None:
    event = example("billing.card.removed")
    assert decode(written(event), None, keyed=False) == read(event)


ATTRIBUTES = ("specversion", "id", "source", "type", "subject", "time")


def headers(event: Event, **others: str) -> list[tuple[str, bytes]]:
    said = {name: event[name] for name in ATTRIBUTES} | others
    return [("content-type", b"application/json"), *((f"ce_{name}", text.encode()) for name, text in said.items())]


@pytest.mark.parametrize("type_", EVENT_TYPES)
def test_binary_mode_gives_the_same_fact_as_structured_mode(type_: str) -> None:
    event = example(type_)
    assert decode(written(event["data"]), event["subject"].encode(), headers(event, extension="1")) == read(event)


@pytest.mark.parametrize(
    "beside",
    [
        [],
        [("whimbrel-now", b"2026-06-10T13:00:00Z"), ("whimbrel-line", b"12")],
        [("content-type", b"application/json")],
        [("content-type", None)],
        [("content-type", b"Application/CloudEvents+JSON; charset=utf-8"), ("ce_id", b"another")],
        [("ce_id", b"another"), ("content-type", b"application/cloudevents+json")],
    ],
)
def test_a_record_without_ce_headers_or_of_cloudevents_content_is_structured(beside: list[tuple[str, bytes]]) -> None:
    event = example("billing.card.removed")
    assert decode(written(event), event["subject"].encode(), beside) == read(event)


@pytest.mark.parametrize(
    ("type_", "topic"),
    [
        ("billing.invoice.issued", "billing.events"),
        ("jobs.contract.sent", "jobs.events"),
        ("portal.user.created", "portal.events"),
        ("portal", "portal.events"),
        ("inventory.moved", "billing.events"),
        ("", "billing.events"),
    ],
)
def test_the_beginning_of_a_type_names_its_topic(type_: str, topic: str) -> None:
    assert topic_for(type_) == topic


def test_every_type_of_the_contract_has_a_topic_of_its_own_name() -> None:
    assert {topic_for(type_) for type_ in EVENT_TYPES} == set(TOPICS)
    assert all(topic_for(type_).split(".")[0] == type_.split(".")[0] for type_ in EVENT_TYPES)


def test_a_glimpse_shows_what_a_sound_event_says() -> None:
    event = example("jobs.job.unscheduled")
    assert glimpse(written(event)) == Glimpse(event["type"], event["subject"], parse_instant(event["time"]))


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (b"", Glimpse()),
        (b"{", Glimpse()),
        (b"[1]", Glimpse()),
        (b'{"type": "\xff"}', Glimpse()),
        (b"[" * 100_000, Glimpse()),
        (b'{"type": 5, "subject": "", "time": 7}', Glimpse()),
        (b'{"type": null, "subject": ["a"], "time": "yesterday"}', Glimpse()),
        (b'{"type": "a.b", "time": "2026-06-10T13:00:00"}', Glimpse("a.b")),
        (b'{"subject": "a1", "id": 5, "data": [], "time": "1970-01-01T00:00:01Z"}', Glimpse(None, "a1", 1_000_000)),
    ],
)
def test_a_glimpse_of_a_broken_event_shows_what_is_readable(text: bytes, seen: Glimpse) -> None:
    assert glimpse(text) == seen
