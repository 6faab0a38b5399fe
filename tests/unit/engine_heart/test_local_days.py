"""Every local day calls up each day rule exactly once, whatever the clocks do and however time is cut."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.contract.instants import DAY, HOUR, MINUTE, Instant, parse_instant
from app.domain.book import new_book
from app.domain.calendar import EPOCH, local_clock
from app.domain.decision import Decision
from app.domain.occasion import Outcome
from app.engine.heart import Heart
from app.engine.standing import NEVER
from app.simulate.run import Notes
from tests.builders import a_company, a_fact, a_rule, a_rulebook, account_event, invoice_event

CHANGES = (
    ("Africa/Cairo", "2026-04-23T22:00:00Z"),  # midnight is left out
    ("Africa/Casablanca", "2026-02-15T02:00:00Z"),  # back for Ramadan
    ("America/Havana", "2026-11-01T05:00:00Z"),  # midnight comes twice
    ("America/New_York", "2026-03-08T07:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("America/Nuuk", "2026-03-29T01:00:00Z"),  # the evening before is cut short
    ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),
    ("America/St_Johns", "2010-11-07T02:31:00Z"),  # from 00:01 back into the day before
    ("Asia/Beirut", "2026-03-28T22:00:00Z"),
    ("Asia/Pyongyang", "2018-05-04T15:00:00Z"),  # by half an hour
    ("Asia/Tehran", "2022-09-21T19:30:00Z"),
    ("Atlantic/Azores", "2026-10-25T01:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ("Europe/Dublin", "2026-10-25T01:00:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),  # 30 December never came
    ("Pacific/Chatham", "2026-04-04T14:00:00Z"),
    ("Pacific/Kwajalein", "1993-08-21T12:00:00Z"),  # nor did 21 August
)
"""A zone, and an instant at which its clocks change."""
REACH = 4
"""Days before and after the change that are looked at."""
WHOLE = (2 * REACH + 8) * DAY


def test_at_each_of_these_instants_the_clocks_of_the_zone_change_in_fourteen_zones_and_more() -> None:
    assert all(_offset(zone, parse_instant(at) - 1) != _offset(zone, parse_instant(at)) for zone, at in CHANGES)
    assert len({zone for zone, _ in CHANGES}) >= 14


def _offset(zone: str, instant: Instant) -> Instant:
    return local_clock(zone, instant) - instant


def around(zone: str, change: str) -> list[date]:
    middle = EPOCH + timedelta(days=local_clock(zone, parse_instant(change)) // DAY)
    return [middle + timedelta(days=ahead) for ahead in range(-REACH, REACH + 1)]


def played(zone: str, days: list[date], send_at: str, cuts: list[Instant]) -> list[Decision]:
    """An invoice due on each of the days, and a clock that stops so long after its beginning, and at the end."""
    begin = (days[0] - EPOCH).days * DAY - 3 * DAY
    notes = Notes()
    rules = (
        a_rule("invoice_due_in_days", x=0, send_at=send_at),
        a_rule("invoice_past_due_for_days", x=1, send_at=send_at),
    )
    heart = Heart(a_rulebook(*rules, companies=[a_company(time_zone=zone)]), begin, notes)
    events = [account_event(begin), *(invoice_event(begin, invoice_id=str(day), due_on=str(day)) for day in days)]
    book = new_book("a1", NEVER)
    for event in events:
        book = heart.read(book, a_fact(event), begin, backlog=False)
    for cut in (*sorted(cuts), WHOLE):
        book = heart.advance(book, begin + cut, None)
    return notes.decisions


@pytest.mark.parametrize(("zone", "change"), CHANGES)
@settings(max_examples=20, deadline=None)
@given(
    minutes=st.integers(0, 24 * 60 - 1) | st.sampled_from((0, 1, 30, 60, 90, 150, 23 * 60 + 30)),
    cuts=st.lists(st.integers(0, WHOLE) | st.integers(0, WHOLE // HOUR).map(lambda hours: hours * HOUR), max_size=40),
)
def test_every_local_day_comes_up_exactly_once_across_a_change_of_clocks(
    zone: str, change: str, minutes: int, cuts: list[Instant]
) -> None:
    days = around(zone, change)
    decisions = played(zone, days, f"{minutes // 60:02}:{minutes % 60:02}", cuts)
    assert {decision.outcome for decision in decisions} == {Outcome.SENT}
    for rule, later in (("invoice_due_in_days-0", 0), ("invoice_past_due_for_days-1", 1)):
        moments = {decision.about: decision.moment for decision in decisions if decision.rule == rule}
        assert len([decision for decision in decisions if decision.rule == rule]) == len(moments) == len(days)
        for day in days:
            _is_first_instant(zone, day + timedelta(days=later), minutes, moments[str(day)])


def _is_first_instant(zone: str, day: date, minutes: int, moment: Instant) -> None:
    """By nothing but the clock on the wall: it shows the day's time, or later, and never did before."""
    wanted = (day - EPOCH).days * DAY + minutes * MINUTE
    assert local_clock(zone, moment) >= wanted
    assert all(local_clock(zone, moment - before) < wanted for before in (1, *range(MINUTE, 27 * HOUR, 29 * MINUTE)))
