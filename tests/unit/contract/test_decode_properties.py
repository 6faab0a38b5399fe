"""Whatever a record holds, decoding it gives a fact or says that there is none: nothing else is ever raised."""

import json
from typing import Any

from hypothesis import example as tried
from hypothesis import given, settings
from hypothesis import strategies as st

from app.contract.codec import EVENT_TYPES, Fact, Headers, decode, glimpse
from app.contract.errors import ContractError, UnknownType
from app.contract.instants import EARLIEST, LATEST
from tests.json_strategies import damaged, json_values
from tests.unit.contract.examples import Event, example, written

# No deadline: how long a loaded machine takes is no fact about the codec.
SETTINGS = settings(deadline=None, max_examples=200)
EXAMPLES = [example(type_) for type_ in EVENT_TYPES]
NAMES = st.sampled_from(
    ["ce_id", "ce_type", "ce_subject", "ce_time", "ce_source", "ce_specversion", "content-type", "x"]
)
HEADERS = st.lists(st.tuples(NAMES, st.binary(max_size=20) | st.text(max_size=20).map(str.encode)), max_size=8)


def outcome(value: bytes | None, key: bytes | None, headers: Headers = ()) -> Fact | ContractError | UnknownType:
    try:
        fact = decode(value, key, headers)
    except (ContractError, UnknownType) as no_fact:
        return no_fact
    assert key == fact.subject.encode()
    assert EARLIEST <= fact.time <= LATEST
    assert type(fact.data) is EVENT_TYPES[fact.type]
    return fact


@SETTINGS
@given(st.none() | st.binary(max_size=200), st.none() | st.binary(max_size=20), HEADERS)
def test_arbitrary_bytes_never_raise_anything_else(value: bytes | None, key: bytes | None, headers: Headers) -> None:
    outcome(value, key, headers)
    glimpse(value or b"")


@SETTINGS
@given(json_values())
@tried({"specversion": "1.0", "id": "1", "source": "s", "type": "billing.card.removed", "subject": "k", "time": None})
def test_arbitrary_json_never_raises_anything_else(value: Any) -> None:
    outcome(json.dumps(value).encode(), b"k")
    glimpse(json.dumps(value).encode())


@SETTINGS
@given(st.sampled_from(EXAMPLES).flatmap(damaged))
def test_a_sound_event_damaged_anywhere_never_raises_anything_else(event: Any) -> None:
    value = json.dumps(event).encode()
    subject = event.get("subject") if isinstance(event, dict) else None
    found = outcome(value, subject.encode("utf-8", "replace") if isinstance(subject, str) else None)
    seen = glimpse(value)
    if isinstance(found, Fact):
        assert (seen.type, seen.subject, seen.time) == (found.type, found.subject, found.time)


@SETTINGS
@given(st.sampled_from(EXAMPLES), st.data())
def test_cut_or_spoilt_bytes_never_raise_anything_else(event: Event, data: st.DataObject) -> None:
    value = written(event)
    at = data.draw(st.integers(0, len(value)))
    outcome(value[:at] + data.draw(st.binary(max_size=3)) + value[at + data.draw(st.integers(0, 3)) :], b"acct-1042")


@SETTINGS
@given(st.sampled_from(EXAMPLES).flatmap(lambda event: st.tuples(st.just(event), damaged(event["data"]))))
def test_both_content_modes_say_the_same_of_the_same_data(pair: tuple[Event, Any]) -> None:
    event, data = pair
    headers = [(f"ce_{name}", text.encode()) for name, text in event.items() if name != "data"]
    structured = outcome(written(event | {"data": data}), event["subject"].encode())
    binary = outcome(json.dumps(data).encode(), event["subject"].encode(), headers)
    assert (structured if isinstance(structured, Fact) else structured.args) == (
        binary if isinstance(binary, Fact) else binary.args
    )


@SETTINGS
@given(st.sampled_from(EXAMPLES), st.dictionaries(st.text(min_size=1), json_values(), max_size=3))
def test_unknown_members_change_nothing(event: Event, others: dict[str, Any]) -> None:
    key = event["subject"].encode()
    unknown = {f"x-{name}": value for name, value in others.items()}
    assert decode(written(unknown | event), key) == decode(written(event), key)
    assert decode(written(event | {"data": unknown | event["data"]}), key) == decode(written(event), key)
