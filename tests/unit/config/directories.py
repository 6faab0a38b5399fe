"""A configuration on disk, right in all that a test does not change."""

from pathlib import Path

import pytest

from app.config.check import load_dir
from app.config.mistakes import ConfigError
from app.domain.builtin import BUILT_IN
from app.domain.companies import Company
from app.domain.rules import Rule
from app.triggers import REGISTRY

COMPANIES = """\
- id: acme
  name: Acme Fiber
  from: {name: Acme Billing, address: billing@acme.example}
  time_zone: America/Chicago
"""
RULES = "- {id: past-due-7, trigger: invoice_past_due_for_days, x: 7}\n"


def a_directory(path: Path, rules: str = RULES, companies: str = COMPANIES) -> Path:
    (path / "rules.yaml").write_text(rules, encoding="utf-8")
    (path / "companies.yaml").write_text(companies, encoding="utf-8")
    return path


def rules_of(path: Path, text: str) -> tuple[Rule, ...]:
    """Return the rules written, without the built-in ones as delivered."""
    rules = load_dir(a_directory(path, rules=text), REGISTRY).rules
    return tuple(rule for rule in rules if rule not in BUILT_IN)


def companies_of(path: Path, text: str) -> tuple[Company, ...]:
    return tuple(load_dir(a_directory(path, companies=text), REGISTRY).companies.values())


def mistakes(path: Path, rules: str = RULES, companies: str = COMPANIES) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_dir(a_directory(path, rules, companies), REGISTRY)
    return [str(mistake) for mistake in caught.value.mistakes]
