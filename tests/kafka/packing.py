"""Many cases in one system: each case's accounts, logins, companies and rules bear a name of its own.

A case's rules are for its own companies alone; to the accounts of its neighbours they are `filtered`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from msgspec.structs import replace
from ruamel.yaml import YAML

from app.config.check import Config, load_dir
from app.contract.instants import parse_instant
from app.domain.builtin import BUILT_IN, BUILT_IN_BY_ID
from app.domain.rules import Rule
from app.simulate.run import Pause, Span
from app.triggers import REGISTRY

OWN = ("account_id", "parent_account_id", "company_id", "user_id")
"""Fields of an event's data, or of its user, that name what each case has for itself."""


@dataclass(frozen=True)
class Case:
    """One directory of tests/cases, behind its prefix, which stands nowhere in its files."""

    directory: Path
    prefix: str
    told: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.directory.name

    @property
    def span(self) -> Span:
        pauses = (pause.split("..") for pause in self.told["pause"])
        paused = tuple(Pause(parse_instant(begin), parse_instant(end)) for begin, end in pauses)
        return Span(parse_instant(self.told["from"]), parse_instant(self.told["until"]), paused)

    @property
    def expected(self) -> list[bytes]:
        return (self.directory / "expected.jsonl").read_bytes().splitlines()

    @property
    def breaches(self) -> int:
        """How many of its lines are no facts."""
        return len(self.told.get("breaches", []))

    def config(self) -> Config:
        """Its configuration, renamed; the built-in rules, which nobody can rename, left out."""
        config = load_dir(self.directory, REGISTRY)
        assert not {rule.id for rule in config.rules if rule not in BUILT_IN} & BUILT_IN_BY_ID.keys()
        companies = tuple(self.prefix + company for company in config.companies)
        return Config(
            tuple(self._rule(rule, companies) for rule in config.rules if rule not in BUILT_IN),
            {self.prefix + id_: replace(each, id=self.prefix + id_) for id_, each in config.companies.items()},
        )

    def lines(self) -> list[bytes]:
        """Its events, renamed."""
        return [self._renamed(orjson.loads(line)) for line in self._file().splitlines()]

    def owns(self, rule: str) -> bool:
        """Whether a rule is its own, or everybody's."""
        return rule.startswith(self.prefix) or rule in BUILT_IN_BY_ID

    def back(self, decision: Mapping[str, Any]) -> bytes:
        """A decision under the names that the case's own files have."""
        return orjson.dumps(decision).replace(self.prefix.encode(), b"")

    def _rule(self, rule: Rule, companies: tuple[str, ...]) -> Rule:
        asked = rule.when.company
        own = companies if asked is None else tuple(self.prefix + company for company in asked)
        return replace(rule, id=self.prefix + rule.id, when=replace(rule.when, company=own))

    def _renamed(self, event: dict[str, Any]) -> bytes:
        event["subject"] = self.prefix + event["subject"]
        for data in (event["data"], event["data"].get("user", {})):
            data.update({name: self.prefix + data[name] for name in OWN if name in data})
        return orjson.dumps(event) + b"\n"

    def _file(self) -> bytes:
        events = (self.directory / "events.jsonl").read_bytes()
        assert self.prefix.encode() not in events
        return events


def all_cases(directory: Path) -> list[Case]:
    """Every case there is."""
    read = YAML(typ="safe").load
    return [
        Case(each, f"case-{number:02}.", read(each / "case.yaml"))
        for number, each in enumerate(sorted(directory.iterdir()), 1)
    ]


def runs(cases: Iterable[Case]) -> list[tuple[Span, list[Case]]]:
    """Put those together that are about the same time, pauses included."""
    found: dict[Span, list[Case]] = defaultdict(list)
    for case in cases:
        found[case.span].append(case)
    return list(found.items())


def packed(cases: Sequence[Case]) -> tuple[Config, list[bytes]]:
    """The cases' configurations as one, and their events, one case behind the other."""
    configs = [case.config() for case in cases]
    rules = (*BUILT_IN, *(rule for config in configs for rule in config.rules))
    companies = {id_: company for config in configs for id_, company in config.companies.items()}
    return Config(rules, companies), [line for case in cases for line in case.lines()]
