import json
from functools import cache

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from msgspec.structs import fields

from app.contract.codec import EVENT_TYPES
from app.contract.schema import _written, schema_of
from tests.unit.contract.examples import Event, example, required_of, with_data, without


@cache
def published(type_: str) -> Event:
    schema: Event = json.loads(json.dumps(schema_of(type_)))
    Draft202012Validator.check_schema(schema)
    return schema


def sound(event: Event) -> bool:
    valid: bool = Draft202012Validator(published(event["type"])).is_valid(event)
    return valid


@pytest.mark.parametrize("type_", EVENT_TYPES)
def test_the_example_of_every_type_is_valid(type_: str) -> None:
    assert sound(example(type_))


@pytest.mark.parametrize("type_", EVENT_TYPES)
def test_what_is_required_is_required_and_what_is_not_may_be_null(type_: str) -> None:
    for field in fields(EVENT_TYPES[type_]):
        assert sound(without(type_, field.name)) != field.required
        assert sound(with_data(type_, **{field.name: None})) != field.required


@pytest.mark.parametrize("attribute", ["specversion", "id", "source", "type", "subject", "time", "data"])
def test_every_attribute_is_required(attribute: str) -> None:
    event = example("billing.invoice.issued")
    schema = schema_of("billing.invoice.issued")
    assert not Draft202012Validator(schema).is_valid({name: event[name] for name in event if name != attribute})


@pytest.mark.parametrize(
    ("type_", "members"),
    [
        ("billing.invoice.issued", {"total": "4999"}),
        ("billing.invoice.issued", {"status": "overdue"}),
        ("billing.invoice.issued", {"currency": "usd"}),
        ("billing.invoice.issued", {"grace_days": -1}),
        ("billing.account.updated", {"contacts": [{"email": "ann@rivera.example"}]}),
        ("jobs.job.scheduled", {"starts_at": 1781096400}),
    ],
)
def test_a_schema_refuses_what_the_codec_refuses(type_: str, members: Event) -> None:
    assert not sound(with_data(type_, **members))


def test_instants_are_written_as_texts() -> None:
    job = schema_of("jobs.job.scheduled")["$defs"]["JobScheduled"]["properties"]
    assert job["starts_at"] == {"type": "string", "format": "date-time"}
    assert required_of("jobs.job.scheduled")[2] == "starts_at"


def test_a_kind_without_a_schema_is_not_made_up() -> None:
    with pytest.raises(NotImplementedError, match="no schema for object"):
        _written(object)


def test_there_is_no_schema_of_an_unknown_type() -> None:
    with pytest.raises(KeyError):
        schema_of("billing.something.new")
