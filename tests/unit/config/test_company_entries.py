from pathlib import Path

import pytest

from app.domain.companies import Company, Exclusion
from tests.unit.config.directories import COMPANIES, companies_of, mistakes


def test_a_company_with_everything_is_read(tmp_path: Path) -> None:
    text = """
- id: acme
  name: Acme Fiber
  from: {name: Acme Billing, address: billing@acme.example}
  reply_to: help@acme.example
  locale: de-DE
  time_zone: Europe/Berlin
  delinquency_exclusions: [{day: 25, month: 12}, {day: 29, month: 2}, {day: 2, month: 1, year: 2027}, {weekday: sun}]
  send: {at: "08:15"}
"""
    assert companies_of(tmp_path, text) == (
        Company(
            id="acme",
            name="Acme Fiber",
            from_name="Acme Billing",
            from_address="billing@acme.example",
            reply_to="help@acme.example",
            locale="de_DE",
            time_zone="Europe/Berlin",
            send_at="08:15",
            exclusions=(
                Exclusion(day=25, month=12),
                Exclusion(day=29, month=2),
                Exclusion(day=2, month=1, year=2027),
                Exclusion(weekday=6),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("holidays: {country: US}", "holidays: not yet supported"),
        ("send: {weekdays: mon-sat}", "send.weekdays: not yet supported"),
        ("send: {at: noon}", 'send.at: must be a time of day from "00:00" to "23:59" (found "noon")'),
        ("reply_to: Help <help@acme.example>", "reply_to: must be one e-mail address, as billing@acme.example"),
        ("reply_to: help@", "reply_to: must be one e-mail address, as billing@acme.example"),
        ("reply_to: [a@b.c]", "reply_to: must be one e-mail address, as billing@acme.example (found a list)"),
        ("locale: xx_YY", 'locale: must be a locale, as en_US or de (found "xx_YY")'),
        ("locale: [de]", "locale: must be a locale, as en_US or de (found a list)"),
        ("delinquency_exclusions: sun", "delinquency_exclusions: must be a list of {day: 25, month: 12}, "),
        ("delinquency_exclusions: [sun]", "delinquency_exclusions[0]: must be a list of {day: 25, month: 12}, "),
        (
            "delinquency_exclusions: [{weekday: sunday}]",
            "delinquency_exclusions[0].weekday: must be one of mon, tue, wed, thu, fri, sat, sun; did you mean sun?",
        ),
        (
            "delinquency_exclusions: [{weekday: sun, day: 3}]",
            "delinquency_exclusions[0].day: unknown field; accepted: weekday",
        ),
        (
            "delinquency_exclusions: [{day: 3}]",
            "delinquency_exclusions[0].month: missing: must be a whole number, 1 or more",
        ),
        (
            "delinquency_exclusions: [{day: 31, month: 4}]",
            "delinquency_exclusions[0].day: must be a day that exists (found day 31 of month 4)",
        ),
        (
            "delinquency_exclusions: [{day: 29, month: 2, year: 2027}]",
            "delinquency_exclusions[0].day: must be a day that exists (found day 29 of month 2 of 2027)",
        ),
        ("color: red", "color: unknown field; accepted: id, name, from, "),
    ],
)
def test_a_company_s_field_that_cannot_be_says_what_it_accepts(tmp_path: Path, option: str, expected: str) -> None:
    found = mistakes(tmp_path, companies=f"{COMPANIES}  {option}\n")
    assert len(found) == 1
    assert found[0].startswith(f"companies.yaml:5: {expected}")


@pytest.mark.parametrize(
    ("zone", "near"),
    [("America/Chicaga", "; did you mean America/Chicago?"), ("../etc/passwd", ""), ("America", ""), ("[UTC]", "")],
)
def test_a_time_zone_is_one_that_exists(tmp_path: Path, zone: str, near: str) -> None:
    found = mistakes(tmp_path, companies=COMPANIES.replace("America/Chicago", zone))
    assert len(found) == 1
    assert found[0].startswith(f"companies.yaml:4: time_zone: must be an IANA time zone, as America/Chicago{near}")


def test_a_company_needs_a_sender(tmp_path: Path) -> None:
    sender = "  from: {name: Acme Billing, address: billing@acme.example}\n"
    must = "must be fields, as {name: Acme Billing, address: billing@acme.example}"
    assert mistakes(tmp_path, companies=COMPANIES.replace(sender, "")) == [f"companies.yaml:1: from: missing: {must}"]
    assert mistakes(tmp_path, companies=COMPANIES.replace(sender, "  from: a@b.c\n")) == [
        f'companies.yaml:3: from: {must} (found "a@b.c")'
    ]
    assert [m.split(": must")[0] for m in mistakes(tmp_path, companies=COMPANIES.replace(sender, "  from: {}\n"))] == [
        "companies.yaml:3: from.address: missing",
        "companies.yaml:3: from.name: missing",
    ]


def test_a_company_stands_once(tmp_path: Path) -> None:
    one = "{id: a, name: A, from: {name: A, address: a@a.example}, time_zone: UTC}"
    assert mistakes(tmp_path, companies=f"[{one}, {one}]") == [
        'companies.yaml:1: id: "a" is in line 1 already; each company stands once'
    ]
