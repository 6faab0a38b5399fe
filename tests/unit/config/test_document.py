"""docs/rules.md says of options what the reader of the files accepts."""

import re
from pathlib import Path

from app.config import company_entries, filter_entries, rule_entries
from app.config.check import load_dir
from app.domain.rules import Rule
from app.triggers import REGISTRY
from tests.unit.config.directories import a_directory

DOCUMENT = Path(__file__).parents[3] / "docs" / "rules.md"
_, _, OPTIONS = DOCUMENT.read_text("utf-8").partition("\n## Options\n")
SECTIONS = dict(re.findall(r"^### (.+)\n((?:(?!^##).*\n)*)", OPTIONS.partition("\n## ")[0], re.MULTILINE))
EXAMPLES = {title: "".join(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)) for title, text in SECTIONS.items()}
WRITTEN_WITH = {"trigger": "id and trigger", "id": "id and trigger"} | dict.fromkeys(
    ("enabled_at", "version"), "enabled_at and version"
)


def test_every_option_of_a_rule_has_a_section_with_an_example_of_it() -> None:
    for option in rule_entries.ACCEPTED:
        assert re.search(rf"^[- ] {option}:", EXAMPLES[WRITTEN_WITH.get(option, option)], re.MULTILINE)


def test_every_filter_is_in_the_example_and_in_the_table() -> None:
    for name in filter_entries.FIELDS:
        assert f"{name}:" in EXAMPLES["when"]
        assert f"`{name}`" in SECTIONS["when"]


def test_every_field_of_a_company_is_in_the_example_and_in_the_table() -> None:
    for name in company_entries.ACCEPTED:
        assert f"{name}:" in EXAMPLES["Companies"]
        assert f"`{name}`" in SECTIONS["Companies"]


def test_all_examples_together_are_a_configuration(tmp_path: Path) -> None:
    rules = "".join(text for title, text in EXAMPLES.items() if title != "Companies")
    found = load_dir(a_directory(tmp_path, rules, EXAMPLES["Companies"]), REGISTRY)
    assert len(found.rules) > len(rule_entries.ACCEPTED)


def test_the_defaults_that_the_table_names_are_the_defaults() -> None:
    table = dict(re.findall(r"^\| \[`(\w+)`\S* \|.*\| (.+) \|$", OPTIONS, re.MULTILINE))
    rule = Rule(id="a", trigger="payment_failed")
    assert (table["per"], table["critical"], table["enabled"]) == (f"`{rule.per}`", "`false`", "`true`")
    assert table["channels"] == f"`[{', '.join(rule.channels)}]`"
    assert table["late"] == f"`{{policy: {rule.late.policy}, within: 3d}}`"
