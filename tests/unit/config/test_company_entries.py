from datetime import date
from pathlib import Path

import pytest

from app.domain.companies import Company, Exclusion, Holidays
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
  send: {at: "08:15", window: "20:00-06:30", weekdays: [sat-mon], skip_holidays: false}
  holidays: {country: DE, subdivision: BE, dates: [2026-12-24], except: [2026-03-08]}
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
            holidays=Holidays("DE", "BE", (date(2026, 12, 24),), (date(2026, 3, 8),)),
            window=(1200, 390),
            weekdays=(0, 5, 6),
            skip_holidays=False,
        ),
    )


@pytest.mark.parametrize(
    ("option", "expected"),
    [
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
    [
        ("America/Chicaga", "; did you mean America/Chicago?"),
        ("../etc/passwd", ""),
        ("America", ""),
        ("[UTC]", ""),
        ("Factory", ""),  # the contract refuses it of an account, too
    ],
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


def test_a_company_s_window_of_null_is_none(tmp_path: Path) -> None:
    company = companies_of(tmp_path, COMPANIES + "  send: {window: null}\n")[0]
    assert (company.window, company.weekdays, company.skip_holidays, company.holidays) == (None, None, None, Holidays())


@pytest.mark.parametrize(
    ("holidays", "expected"),
    [
        ("US", "holidays: must be fields, as {country: US, subdivision: IL, dates: [2026-12-24], "),
        ("{country: XX}", 'holidays.country: must be the ISO 3166 code of a country, as US (found "XX")'),
        ("{country: usa}", "holidays.country: must be the ISO 3166 code of a country, as US; did you mean US? "),
        (
            "{country: United States}",
            "holidays.country: must be the ISO 3166 code of a country, as US; did you mean US",
        ),
        ("{country: [US]}", "holidays.country: must be the ISO 3166 code of a country, as US (found a list)"),
        ("{subdivision: IL}", "holidays.subdivision: needs a country beside it"),
        ("{country: CH, subdivision: ZZH}", "holidays.subdivision: must be one of AG, AI, AR, BE, "),
        ("{country: US, subdivision: [IL]}", "holidays.subdivision: must be one of AK, AL, "),
        ("{country: JP, subdivision: X}", "holidays.subdivision: JP has no subdivisions with holidays of their own"),
        ("{dates: 2026-12-24}", "holidays.dates: must be a list of dates, as [2026-12-24]"),
        ("{dates: [2026-12-24, 24.12.]}", 'holidays.dates[1]: must be a date, as 2026-12-24 (found "24.12.")'),
        ("{except: [2026-02-29]}", 'holidays.except[0]: must be a date, as 2026-12-24 (found "2026-02-29")'),
        ("{except: [20260228]}", 'holidays.except[0]: must be a date, as 2026-12-24 (found "20260228")'),
        ("{except: [[]]}", "holidays.except[0]: must be a date, as 2026-12-24 (found a list)"),
        ("{county: US}", "holidays.county: unknown field; accepted: country, subdivision, dates, except; did you mean"),
    ],
)
def test_holidays_that_cannot_be_are_refused_with_what_is_accepted(
    tmp_path: Path, holidays: str, expected: str
) -> None:
    found = mistakes(tmp_path, companies=f"{COMPANIES}  holidays: {holidays}\n")
    assert len(found) == 1
    assert found[0].startswith(f"companies.yaml:5: {expected}")


def test_a_subdivision_s_name_suggests_its_code(tmp_path: Path) -> None:
    found = mistakes(tmp_path, companies=f"{COMPANIES}  holidays: {{country: US, subdivision: Illinois}}\n")
    assert found[0].endswith('WY; did you mean IL? (found "Illinois")')


def test_the_country_of_no_is_norway(tmp_path: Path) -> None:
    company = companies_of(tmp_path, COMPANIES + "  holidays: {country: NO}\n")[0]
    assert company.holidays.cover(date(2026, 5, 17))
    assert not company.holidays.cover(date(2026, 7, 4))
