"""Reads a directory with rules.yaml and companies.yaml: all of it is right, or nothing is taken."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.config.company_entries import read_company
from app.config.entry import Entry, Sheet, entries, shown
from app.config.mistakes import ConfigError
from app.config.rule_entries import RuleReader, TemplateCheck, TriggerSpec
from app.config.yaml import Items, Node, SyntaxMistake, parse
from app.domain.builtin import with_built_in
from app.domain.companies import Company
from app.domain.rules import Rule

RULES: Final = "rules.yaml"
COMPANIES: Final = "companies.yaml"
_RULE: Final = "must be a list of rules, as - {id: past-due-7, trigger: invoice_past_due_for_days, x: 7}"
_COMPANY: Final = "must be a list of companies, as - {id: acme, name: Acme Fiber, ...}"


@dataclass(frozen=True)
class Config:
    """What a directory says: every version of every rule, built-in ones before those written, and companies by id."""

    rules: tuple[Rule, ...]
    companies: Mapping[str, Company]


def load_dir(
    directory: Path, triggers: Mapping[str, TriggerSpec], check_template: TemplateCheck | None = None
) -> Config:
    """Return the configuration in `directory`, built-in rules included; raise ConfigError with every mistake there is.

    `triggers` is the registry, by id. With `check_template` each rule's template is checked too.
    """
    rules, companies = Sheet(RULES), Sheet(COMPANIES)
    known = _companies(_entries(directory, companies, _COMPANY))
    # Of companies that cannot be read no rule can be said to name a wrong one.
    unknown = "" in known or (companies.mistakes and not known)
    reader = RuleReader(triggers, None if unknown else known.keys(), check_template)
    written = tuple(reader.read(entry) for entry in _entries(directory, rules, _RULE))
    mistakes = companies.mistakes + rules.mistakes
    if mistakes:
        raise ConfigError(directory, mistakes)
    return Config(with_built_in(written), known)


def _entries(directory: Path, sheet: Sheet, must: str) -> list[Entry]:
    root = _root(directory / sheet.file, sheet)
    if isinstance(root, Items):
        return entries(sheet, root.nodes, "", must)
    if not sheet.mistakes:
        sheet.refuse(1, "", f"{must} (found {'nothing' if root is None else shown(root)})")
    return []


def _root(path: Path, sheet: Sheet) -> Node | None:
    try:
        return parse(path.read_text(encoding="utf-8-sig"))
    except SyntaxMistake as mistake:
        sheet.refuse(mistake.line, "", f"not YAML: {mistake.problem}")
    except UnicodeDecodeError as error:
        sheet.refuse(error.object.count(b"\n", 0, error.start) + 1, "", "must be UTF-8")
    except OSError as error:
        sheet.refuse(1, "", f"cannot be read: {error.strerror}")
    return None


def _companies(found: list[Entry]) -> dict[str, Company]:
    companies: dict[str, Company] = {}
    lines: dict[str, int] = {}
    for entry in found:
        company = read_company(entry)
        if company.id and company.id in lines:
            entry.refuse("id", f'"{company.id}" is in line {lines[company.id]} already; each company stands once')
        companies[company.id] = company
        lines.setdefault(company.id, entry.line)
    return companies
