import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.contract import contract_app
from app.contract.codec import EVENT_TYPES
from app.contract.schema import schema_of
from tests.unit.contract.examples import example, with_data, without, written

RUN = CliRunner()


def test_schema_prints_all_schemas_by_type() -> None:
    printed = RUN.invoke(contract_app, ["schema"])
    assert printed.exit_code == 0
    assert json.loads(printed.stdout) == {type_: json.loads(json.dumps(schema_of(type_))) for type_ in EVENT_TYPES}


def test_schema_prints_the_schema_of_one_type() -> None:
    printed = RUN.invoke(contract_app, ["schema", "billing.card.removed"])
    assert json.loads(printed.stdout) == json.loads(json.dumps(schema_of("billing.card.removed")))


def test_schema_of_an_unknown_type_tells_the_types_there_are() -> None:
    refused = RUN.invoke(contract_app, ["schema", "billing.card.lost"])
    assert refused.exit_code == 2
    assert "billing.card.removed" in refused.stderr


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def test_check_of_sound_events_counts_them(file: Path) -> None:
    file.write_bytes(b"\n".join([written(example(type_)) for type_ in EVENT_TYPES]) + b"\n\n")
    checked = RUN.invoke(contract_app, ["check", str(file)])
    assert (checked.exit_code, checked.stderr) == (0, "")
    assert checked.stdout == f"{len(EVENT_TYPES)} events: {len(EVENT_TYPES)} sound, 0 of unknown types, 0 broken\n"


def test_check_tells_each_breach_with_its_line_and_field(file: Path) -> None:
    lines = [
        written(example("billing.card.removed")),
        b"",
        written(without("billing.invoice.issued", "due_on")),
        b"{",
        written(example("billing.card.removed", type="billing.card.lost")),
        written(with_data("billing.account.updated", contacts=[{"contact_id": "c", "email": 5}])),
    ]
    file.write_bytes(b"\r\n".join(lines))
    checked = RUN.invoke(contract_app, ["check", str(file)])
    assert checked.exit_code == 1
    assert checked.stderr.splitlines() == [
        "line 3: data.due_on: missing",
        "line 4: not JSON: Input data was truncated",
        "line 5: unknown type billing.card.lost, passed over",
        "line 6: data.contacts[0].email: expected str | null, got int",
    ]
    assert checked.stdout == "5 events: 1 sound, 1 of unknown types, 3 broken\n"


def test_check_of_unknown_types_alone_is_no_failure(file: Path) -> None:
    file.write_bytes(written(example("billing.card.removed", type="billing.card.lost")))
    assert RUN.invoke(contract_app, ["check", str(file)]).exit_code == 0


def test_check_of_a_file_that_is_not_there_says_so(file: Path) -> None:
    refused = RUN.invoke(contract_app, ["check", str(file)])
    assert refused.exit_code == 2
    assert "No such file" in refused.stderr
