"""docs/contract.md says what the Structs say."""

import re
from typing import Any

import msgspec
import pytest

from app.contract.codec import EVENT_TYPES, decode
from app.contract.errors import ContractError
from app.contract.types import ACCEPTED
from app.engine.dead_letters import DeadLetter, encode_letter
from tests.unit.contract.examples import DOCUMENT, SECTIONS, example, required_of

TEXT = DOCUMENT.read_text("utf-8")


def test_every_type_has_its_section_and_there_is_no_other() -> None:
    assert list(SECTIONS) == list(EVENT_TYPES) == re.findall(r"^### (\S+)$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("type_", EVENT_TYPES)
def test_a_section_names_what_its_type_requires(type_: str) -> None:
    assert re.findall(r"`(\w+)`", SECTIONS[type_]["required"]) == required_of(type_)


@pytest.mark.parametrize("type_", EVENT_TYPES)
def test_an_example_shows_its_own_type_and_every_member(type_: str) -> None:
    event = example(type_)
    assert event["type"] == type_
    assert list(event["data"]) == list(EVENT_TYPES[type_].__struct_fields__)


def test_examples_are_events_of_their_own() -> None:
    ids = [(example(type_)["source"], example(type_)["id"]) for type_ in EVENT_TYPES]
    assert len(set(ids)) == len(ids)


def shape(value: Any) -> Any:
    """The names of all members, however deep."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    return [shape(item) for item in value] if isinstance(value, list) else None


@pytest.mark.parametrize("type_", ["billing.account.updated", "billing.payment.succeeded", "portal.user.created"])
def test_the_parts_of_an_example_show_every_member_too(type_: str) -> None:
    data = example(type_)["data"]
    known = msgspec.convert(data, EVENT_TYPES[type_], dec_hook=lambda _, __: 0)
    assert shape(msgspec.json.decode(msgspec.json.encode(known))) == shape(data)


def test_every_value_of_a_closed_list_is_named() -> None:
    for name, values in ACCEPTED.items():
        unnamed = {value for value in values if f"`{value}`" not in TEXT}
        assert unnamed <= ({"tue", "wed", "thu", "fri", "sat"} if name == "check_weekdays" else set())


def test_the_dead_letter_shown_is_a_whole_one_and_says_what_is_written_of_such_an_event() -> None:
    (shown,) = re.findall(r'^    (\{"format":.*\})$', TEXT, re.MULTILINE)
    letter = msgspec.json.decode(shown, type=DeadLetter)
    assert encode_letter(letter).decode() == shown
    event = example("billing.account.updated")
    event["data"]["contacts"][0]["email"] = 5
    with pytest.raises(ContractError) as breach:
        decode(msgspec.json.encode(event), None, keyed=False)
    assert (breach.value.field, breach.value.reason) == (letter.field, letter.reason)
