"""A company's time zone is changed while it lives: every account gets each day rule once per day all the same."""

import pytest

from app.contract.instants import HOUR, MINUTE, format_instant
from app.domain.companies import EarlierZone
from app.domain.rules import Late, Rulebook
from tests.builders import NEW_YORK, a_company, a_rule, account_event, at, invoice_event
from tests.engine.office import Office

BERLIN = "Europe/Berlin"
PAST = "invoice_past_due_for_days"
RULES = [a_rule(PAST, x=x, late=Late(within=30 * 24 * HOUR)) for x in range(1, 8)]
"""On each of the seven days after 10 June."""


def moments(
    before: str, after: str, moved: str, *, tick: int = 15 * MINUTE, told: str = "2026-06-01 00:00"
) -> list[str]:
    """The moments of the seven days, sent as they come, where the company goes from one zone to another at `moved`."""
    office = Office(Rulebook(RULES, {"acme": a_company(time_zone=before)}))
    office.run_until(at("2026-06-01 00:00"))
    events = [account_event(told), invoice_event(told)]
    office.come_to(at(told))
    office.tell(*events)
    applied = a_company(time_zone=after, earlier=(EarlierZone(before, at(moved)),))
    until = at("2026-06-18 23:00")
    while office.now < until:
        if office.now >= at(moved) - 30_000_000 - tick:
            office.rulebook = Rulebook(RULES, {"acme": applied}, 1)
        office.run_until(office.now + tick)
    lines = office.decisions()
    assert {line["outcome"] for line in lines} == {"sent"}
    assert [line["rule"] for line in lines] == [rule.id for rule in RULES]
    return [line["moment"] for line in lines]


def nine(zone_offset: int, *days: int) -> list[str]:
    """Nine o'clock, so many hours ahead of UTC, on these days of June."""
    return [format_instant(at(f"2026-06-{day:02}T09:00:00Z") - zone_offset * HOUR) for day in days]


@pytest.mark.parametrize("tick", [15 * MINUTE, 7 * HOUR])
def test_the_moment_that_a_change_of_zone_jumps_over_comes_at_the_change(tick: int) -> None:
    moved = "2026-06-13 04:00"
    assert moments(NEW_YORK, BERLIN, moved, tick=tick) == [
        *nine(-4, 11, 12),
        format_instant(at(moved)),
        *nine(2, 14, 15, 16, 17),
    ]


@pytest.mark.parametrize("tick", [15 * MINUTE, 7 * HOUR])
def test_a_day_that_was_had_already_does_not_come_again_and_the_next_is_not_lost(tick: int) -> None:
    moved = "2026-06-13 08:00"
    assert moments(BERLIN, NEW_YORK, moved, tick=tick) == [*nine(2, 11, 12, 13), *nine(-4, 14, 15, 16, 17)]


def test_a_day_that_the_change_leaves_ahead_comes_by_the_new_clock() -> None:
    assert moments(NEW_YORK, BERLIN, "2026-06-13 02:00") == [*nine(-4, 11, 12), *nine(2, 13, 14, 15, 16, 17)]
    assert moments(BERLIN, NEW_YORK, "2026-06-13 02:00") == [*nine(2, 11, 12), *nine(-4, 13, 14, 15, 16, 17)]


def test_an_account_of_which_nothing_was_filed_at_the_change_is_in_step_when_something_is() -> None:
    """Moved back at 13 June, 20:00 in Berlin; its invoice becomes known later: the 14th is not taken for had."""
    moved = "2026-06-10 14:00"
    assert moments(BERLIN, NEW_YORK, moved, told="2026-06-11 05:00") == nine(-4, 11, 12, 13, 14, 15, 16, 17)
