from pathlib import Path

import pytest

from app.domain.rules import Hours
from tests.unit.config.directories import mistakes, rules_of


def hours_of(path: Path, send: str) -> Hours:
    return rules_of(path, f"- {{id: a, trigger: payment_failed, send: {{{send}}}}}")[0].hours


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("08:00-20:00", (480, 1200)),
        ('"08:00-20:30"', (480, 1230)),
        ("20:00-06:00", (1200, 360)),
        ("20:00-00:00", (1200, 0)),
        ("20:00-24:00", (1200, 1440)),
        ("00:00-24:00", (0, 1440)),
        ("23:59-00:00", (1439, 0)),
    ],
)
def test_a_window_may_cross_midnight_and_end_with_the_day(
    tmp_path: Path, window: str, expected: tuple[int, int]
) -> None:
    assert hours_of(tmp_path, f"window: {window}") == Hours(window=expected)


def test_a_window_of_null_takes_the_company_s_away_and_an_absent_one_does_not(tmp_path: Path) -> None:
    assert hours_of(tmp_path, "window: null") == Hours(any_time=True)
    assert hours_of(tmp_path, "window: ~, weekdays: null") == Hours(any_time=True)
    assert hours_of(tmp_path, "at: 10:00") == Hours()


@pytest.mark.parametrize(
    ("weekdays", "expected"),
    [
        ("mon-sat", (0, 1, 2, 3, 4, 5)),
        ("sat-mon", (0, 5, 6)),
        ("sun", (6,)),
        ("tue-mon", (0, 1, 2, 3, 4, 5, 6)),
        ("[fri, mon]", (0, 4)),
        ("[mon, wed-fri, thu]", (0, 2, 3, 4)),
        ("[sat-mon]", (0, 5, 6)),
    ],
)
def test_weekdays_are_a_name_a_range_or_a_list_of_these(
    tmp_path: Path, weekdays: str, expected: tuple[int, ...]
) -> None:
    assert hours_of(tmp_path, f"weekdays: {weekdays}") == Hours(weekdays=expected)


def test_holidays_may_be_worked_on_where_the_company_skips_them(tmp_path: Path) -> None:
    assert hours_of(tmp_path, "skip_holidays: false").over(Hours(skip_holidays=True)) == Hours(skip_holidays=False)


WINDOW = 'send.window: must be two times of day, as "08:00-20:00" or "20:00-06:00", the second up to 24:00'
DAYS = "must be one of mon, tue, wed, thu, fri, sat, sun or a range of them, as mon-sat"


@pytest.mark.parametrize(
    ("send", "expected"),
    [
        ("09:00", 'send: must be fields, as {at: "09:00", window: "08:00-20:00", weekdays: mon-sat, '),
        ("{at: 9:00}", 'send.at: must be a time of day from "00:00" to "23:59" (found "9:00")'),
        ("{at: 24:00}", 'send.at: must be a time of day from "00:00" to "23:59" (found "24:00")'),
        ("{att: 09:00}", "send.att: unknown field; accepted: at, window, weekdays, skip_holidays; did you mean at?"),
        ("{window: 8-20}", f'{WINDOW} (found "8-20")'),
        ("{window: 08:00-24:01}", f'{WINDOW} (found "08:00-24:01")'),
        ("{window: 24:00-08:00}", f'{WINDOW} (found "24:00-08:00")'),
        ("{window: 08:00 - 20:00}", f'{WINDOW} (found "08:00 - 20:00")'),
        ("{window: [08:00, 20:00]}", f"{WINDOW} (found a list)"),
        ("{window: 08:00-08:00}", "send.window: must not end where it begins; for the whole day write null (found "),
        ("{weekdays: Mon}", f'send.weekdays: {DAYS} (found "Mon")'),
        ("{weekdays: mon-}", f'send.weekdays: {DAYS} (found "mon-")'),
        ("{weekdays: mon-mon}", f'send.weekdays: {DAYS} (found "mon-mon")'),
        ("{weekdays: mon-wed-fri}", f'send.weekdays: {DAYS} (found "mon-wed-fri")'),
        ("{weekdays: [mon, [tue]]}", f"send.weekdays[1]: {DAYS} (found a list)"),
        ("{weekdays: []}", "send.weekdays: must be weekdays, as mon-sat or [mon, wed-fri], at least one; leave the"),
        ("{weekdays: {mon: true}}", "send.weekdays: must be weekdays, as mon-sat or [mon, wed-fri] (found fields)"),
        ("{skip_holidays: yes}", 'send.skip_holidays: must be true or false (found "yes")'),
    ],
)
def test_hours_that_cannot_be_are_refused_with_what_is_accepted(tmp_path: Path, send: str, expected: str) -> None:
    found = mistakes(tmp_path, f"- id: a\n  trigger: payment_failed\n  send: {send}\n")
    assert len(found) == 1
    assert found[0].startswith(f"rules.yaml:3: {expected}")
