from datetime import date

import pytest

from app.domain.companies import Company, Exclusion


def a_company(*exclusions: Exclusion) -> Company:
    return Company(
        id="acme",
        name="Acme Fiber",
        from_name="Acme Billing",
        from_address="billing@acme.example",
        time_zone="America/Chicago",
        exclusions=exclusions,
    )


@pytest.mark.parametrize(
    ("exclusion", "on", "covered"),
    [
        (Exclusion(day=25, month=12), date(2026, 12, 25), True),
        (Exclusion(day=25, month=12), date(2031, 12, 25), True),
        (Exclusion(day=25, month=12), date(2026, 11, 25), False),
        (Exclusion(day=25, month=12), date(2026, 12, 24), False),
        (Exclusion(day=2, month=1, year=2027), date(2027, 1, 2), True),
        (Exclusion(day=2, month=1, year=2027), date(2028, 1, 2), False),
        (Exclusion(day=29, month=2), date(2028, 2, 29), True),
        (Exclusion(weekday=6), date(2026, 6, 7), True),
        (Exclusion(weekday=6), date(2026, 6, 8), False),
        (Exclusion(weekday=0), date(2026, 6, 8), True),
    ],
)
def test_an_exclusion_covers_its_day_of_the_year_or_its_weekday(
    exclusion: Exclusion, on: date, *, covered: bool
) -> None:
    assert exclusion.covers(on) is covered


def test_a_company_excludes_what_any_of_its_exclusions_covers() -> None:
    company = a_company(Exclusion(day=25, month=12), Exclusion(weekday=6))
    assert [company.excludes(date(2026, 12, day)) for day in (24, 25, 26, 27)] == [False, True, False, True]


def test_a_company_without_exclusions_excludes_no_day() -> None:
    assert not a_company().excludes(date(2026, 12, 25))
