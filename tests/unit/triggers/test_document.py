"""docs/rules.md says of triggers what they are, and of the calendar what is decided."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, get_type_hints
from zoneinfo import ZoneInfo

import pytest

from app.config.check import load_dir
from app.contract.instants import datetime_of, parse_instant
from app.delivery.check import element_of, fields_of
from app.domain.rules import Rulebook
from app.simulate.run import Pause, Span, simulate
from app.triggers import REGISTRY
from app.triggers.base import AccountVariables, DayTrigger

DOCUMENT = (Path(__file__).parents[3] / "docs" / "rules.md").read_text("utf-8")
TRIGGERS = DOCUMENT.partition("\n## Triggers\n")[2].partition("\n## ")[0]
CALENDAR = DOCUMENT.partition("\n## One invoice")[2].partition("\n## ")[0]
SECTIONS = dict(re.findall(r"^### (.+)\n((?:(?!^##).*\n)*)", TRIGGERS + "\n", re.MULTILINE))
ROWS = dict(re.findall(r"^\| \[`(\w+)`\]\(#\1\) \|([^|]*)\|[^|]*\|[^|]*\|$", TRIGGERS, re.MULTILINE))
ZONE = ZoneInfo("America/Chicago")
COMPANY = """
- id: acme
  name: Acme Fiber
  from: {name: Acme Billing, address: billing@acme.example}
  locale: en_US
  time_zone: America/Chicago
  delinquency_exclusions: [{weekday: sat}, {weekday: sun}]
"""


def examples(text: str) -> str:
    return "".join(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL))


def names(variables: Any) -> Iterator[str]:
    for name, kind in get_type_hints(variables).items():
        yield name
        fields = fields_of(element_of(kind) or kind) or {}
        yield from () if set(fields) == {"amount", "currency"} else fields


def test_every_trigger_has_a_row_and_a_section() -> None:
    assert set(SECTIONS) == set(ROWS) == set(REGISTRY)


@pytest.mark.parametrize("trigger", REGISTRY)
def test_a_section_names_all_variables_and_no_other(trigger: str) -> None:
    (line,) = re.findall(r"^- Variables: (.*)$", SECTIONS[trigger], re.MULTILINE)
    common = get_type_hints(AccountVariables)
    values = {"physical", "mailing", "instance", "portal"}
    assert set(re.findall(r"`(\w+)`", line)) - values == set(names(REGISTRY[trigger].variables)) - set(common)


@pytest.mark.parametrize("trigger", REGISTRY)
def test_a_section_has_x_audience_and_an_example(trigger: str) -> None:
    what, section = REGISTRY[trigger], SECTIONS[trigger]
    said = re.search(r"^- X: \w+, (\d) or more", section, re.MULTILINE)
    assert (said and int(said[1])) == what.x_min
    assert re.findall(r"≥ (\d)", ROWS[trigger]) == ([said[1]] if said else [])
    (to,) = re.findall(r"^- To: (.*)$", section, re.MULTILINE)
    if what.audience in {"account", "receipt"}:
        assert to.endswith(f"account contacts ({', '.join(what.categories)})")
    else:
        assert to == f"that {what.audience}"
    assert f"trigger: {trigger}\n" in examples(section)
    assert isinstance(what, DayTrigger) == ("A day rule" in section or "- X: days" in section)


def test_all_examples_together_are_a_configuration(tmp_path: Path) -> None:
    configured(tmp_path, "".join(map(examples, SECTIONS.values())).replace("company: [acme]", ""))


def configured(directory: Path, rules: str) -> Rulebook:
    (directory / "rules.yaml").write_text(rules, encoding="utf-8")
    (directory / "companies.yaml").write_text(COMPANY, encoding="utf-8")
    found = load_dir(directory, REGISTRY)
    return Rulebook(found.rules, found.companies)


def event(type_: str, time: str, **data: Any) -> dict[str, Any]:
    attributes = {"specversion": "1.0", "id": f"{type_}@{time}", "source": "/billing", "type": type_}
    return attributes | {"subject": "a1", "time": time, "data": data}


def account(time: str = "2026-06-01T06:00:00Z", **changes: Any) -> dict[str, Any]:
    contact = {"contact_id": "c1", "email": "ann@mail.example", "categories": ["financial"]}
    whole = {"account_id": "a1", "company_id": "acme", "name": "Miller", "contacts": [contact]}
    return event("billing.account.updated", time, **whole, status={"name": "Active", "activates": True}, **changes)


def invoice(time: str = "2026-06-01T15:00:00Z", **changes: Any) -> dict[str, Any]:
    whole = {"invoice_id": "i1", "account_id": "a1", "number": "INV-1", "currency": "USD", "total": 8450}
    dates = {"issued_on": "2026-06-01", "due_on": "2026-06-17", "grace_days": 10}
    kind = "issued" if time.startswith("2026-06-01") else "updated"
    return event(f"billing.invoice.{kind}", time, **(whole | {"balance": 8450} | dates | changes))


def sent(directory: Path, *events: dict[str, Any], pauses: tuple[Pause, ...] = ()) -> list[tuple[str, str]]:
    """Return day (and time, unless it is 09:00 or an event's) and rule of all that is sent, by the calendar's rules."""
    span = Span(parse_instant("2026-06-01T00:00:00Z"), parse_instant("2026-08-01T00:00:00Z"), pauses)
    lines = [json.dumps(each).encode() for each in sorted(events, key=lambda each: str(each["time"]))]
    decisions, breaches = simulate(lines, configured(directory, examples(CALENDAR)), span)
    assert not breaches
    assert {decision.outcome.value for decision in decisions} == {"sent"}
    return [(day_of(datetime_of(decision.decided_at)), decision.rule) for decision in decisions]


def day_of(instant: datetime) -> str:
    return instant.astimezone(ZONE).strftime("%a %-d %b")


def test_the_calendar_is_what_simulate_decides(tmp_path: Path) -> None:
    table = re.findall(r"^\| (\w{3} \d+ \w{3}) \|.*\| `([\w-]+)`, (?:at once|09:00) \|$", CALENDAR, re.MULTILINE)
    assert sent(tmp_path, account(), invoice()) == table
    assert len(table) == 8


def test_nothing_comes_after_a_payment(tmp_path: Path) -> None:
    paid = invoice("2026-06-20T15:00:00Z", status="paid", balance=0)
    assert sent(tmp_path, account(), invoice(), paid)[-1] == ("Thu 18 Jun", "past-due-1")


def test_a_moved_due_date_earns_new_reminders(tmp_path: Path) -> None:
    moved = sent(tmp_path, account(), invoice(), invoice("2026-06-20T15:00:00Z", due_on="2026-06-24"))
    assert moved[4:7] == [("Sun 21 Jun", "due-in-3"), ("Wed 24 Jun", "due-today"), ("Thu 25 Jun", "past-due-1")]


def test_an_override_moves_the_projected_date(tmp_path: Path) -> None:
    overridden = sent(tmp_path, account(), invoice(), account("2026-06-20T15:00:00Z", grace_until="2026-07-10"))
    assert overridden[5:7] == [("Wed 8 Jul", "delinquent-in-2"), ("Fri 10 Jul", "delinquent")]


def test_an_override_ends_a_delinquency_which_comes_back_after_it(tmp_path: Path) -> None:
    given = sent(tmp_path, account(), invoice(), account("2026-06-30T15:00:00Z", grace_until="2026-07-10"))
    assert [day for day, rule in given if rule == "delinquent"] == ["Mon 29 Jun", "Fri 10 Jul"]


def test_below_the_minimum_amount_nothing_becomes_delinquent(tmp_path: Path) -> None:
    minimum = {"minimum_amount": {"amount": 10000, "currency": "USD"}}
    alone = sent(tmp_path, account(delinquency=minimum), invoice())
    assert alone[-1] == ("Wed 24 Jun", "past-due-7")
    other = invoice("2026-06-01T16:00:00Z", invoice_id="i2", number="INV-2", balance=2000, due_on="2026-06-22")
    both = sent(tmp_path, account(delinquency=minimum), invoice(), other)
    assert ("Thu 2 Jul", "delinquent") in both


def test_what_an_outage_missed_comes_when_it_is_over(tmp_path: Path) -> None:
    outage = Pause(parse_instant("2026-06-24T13:00:00Z"), parse_instant("2026-06-25T17:00:00Z"))
    assert sent(tmp_path, account(), invoice(), pauses=(outage,))[4] == ("Thu 25 Jun", "past-due-7")
