"""Every case of tests/cases: a small history, named after the fact it proves, through `whimbrel simulate`."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from app.cli.main import app
from tests.compare import differences

CASES = sorted((Path(__file__).parents[1] / "cases").iterdir())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_case_decides_exactly_what_is_expected(case: Path, tmp_path: Path) -> None:
    told: dict[str, Any] = YAML(typ="safe").load(case / "case.yaml")
    output = tmp_path / "decisions.jsonl"
    options = {"config": case, "events": case / "events.jsonl", "output": output}
    given = [f"--{name}={value}" for name, value in {**options, "from": told["from"], "until": told["until"]}.items()]
    run = CliRunner().invoke(app, ["simulate", *given, *(f"--pause={pause}" for pause in told["pause"])])
    assert run.exit_code == told.get("exit", 0), run.output
    found = differences((case / "expected.jsonl").read_bytes().splitlines(), output.read_bytes().splitlines())
    assert not found, "\n".join([told["why"], *found])
    unsaid = [breach for breach in told.get("breaches", []) if not _is_said(breach, run.stderr)]
    assert not unsaid, run.stderr


def test_there_are_55_cases() -> None:
    assert len(CASES) == 55


def _is_said(breach: dict[str, Any], stderr: str) -> bool:
    """Whether some line of `stderr` names the breach's line and one of the fields that it may be laid to."""
    number = re.compile(rf"(?<!\d){breach['line']}(?!\d)")
    lines = [line for line in stderr.splitlines() if number.search(line)]
    return any(not breach["field"] or any(field in line for field in breach["field"]) for line in lines)
