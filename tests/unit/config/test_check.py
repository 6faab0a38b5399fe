from pathlib import Path

import msgspec
import pytest

from app.config.check import load_dir
from app.config.mistakes import ConfigError
from app.triggers import REGISTRY
from tests.unit.config.directories import COMPANIES, a_directory, mistakes, rules_of


def test_no_rules_at_all_are_written_as_an_empty_list(tmp_path: Path) -> None:
    assert rules_of(tmp_path, "[]") == ()


def test_all_mistakes_of_both_files_are_reported_at_once(tmp_path: Path) -> None:
    rules = "- id: a\n  trigger: payment_failed\n  x: 3\n  late: {policy: never}\n- {id: b}\n- c\n"
    found = mistakes(tmp_path, rules, COMPANIES.replace("time_zone", "timezone"))
    assert [mistake.split(": ")[:2] for mistake in found] == [
        ["companies.yaml:1", "time_zone"],
        ["companies.yaml:4", "timezone"],
        ["rules.yaml:3", "x"],
        ["rules.yaml:4", "late.policy"],
        ["rules.yaml:5", "trigger"],
        ["rules.yaml:6", "must be a list of rules, as - {id"],
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "rules.yaml:1: must be a list of rules, as - {"),
        ("rules: []", "rules.yaml:1: must be a list of rules, as - {"),
        ("- id: a\n  x: b: c\n", "rules.yaml:2: not YAML: mapping values are not allowed here"),
    ],
)
def test_a_file_that_is_no_list_is_one_mistake(tmp_path: Path, text: str, expected: str) -> None:
    found = mistakes(tmp_path, text)
    assert len(found) == 1
    assert found[0].startswith(expected)


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    assert rules_of(tmp_path, "\ufeff[]") == ()


def test_a_file_that_is_not_utf_8_is_refused_with_its_line(tmp_path: Path) -> None:
    a_directory(tmp_path)
    (tmp_path / "rules.yaml").write_bytes(b"- id: a\n  trigger: \xff\n")
    with pytest.raises(ConfigError, match=r"rules\.yaml:2: must be UTF-8"):
        load_dir(tmp_path, REGISTRY)


def test_missing_files_are_mistakes_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_dir(tmp_path, REGISTRY)
    assert str(caught.value).splitlines() == [
        f"2 mistakes in {tmp_path}, nothing was taken:",
        "companies.yaml:1: cannot be read: No such file or directory",
        "rules.yaml:1: cannot be read: No such file or directory",
    ]


def test_templates_are_checked_against_their_trigger_s_variables(tmp_path: Path) -> None:
    asked: list[tuple[str, type[msgspec.Struct]]] = []

    def check(template: str, variables: type[msgspec.Struct]) -> list[str]:
        asked.append((template, variables))
        return [f"{template}: unknown variable due"] if template == "own" else []

    rules = "- {id: a, trigger: payment_failed}\n- {id: b, trigger: payment_failed,\n   template: own}\n"
    with pytest.raises(ConfigError) as caught:
        load_dir(a_directory(tmp_path, rules), REGISTRY, check)
    assert [str(mistake) for mistake in caught.value.mistakes] == ["rules.yaml:3: template: own: unknown variable due"]
    variables = REGISTRY["payment_failed"].variables
    assert asked == [(REGISTRY["payment_failed"].template, variables), ("own", variables)]
