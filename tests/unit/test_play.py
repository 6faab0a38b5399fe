import json
from collections.abc import Sequence

import pytest

from app.contract.instants import DAY, MINUTE, parse_instant
from app.dev.play import Played, Ticked, lines_of, play, tick_instants
from app.simulate.run import Pause, Span

STEP = 10 * MINUTE


def at(clock: str) -> int:
    return parse_instant(f"2026-06-01T{clock}Z")


def an_event(clock: str, subject: str | None = "a", **more: object) -> bytes:
    event = {
        "specversion": "1.0",
        "id": f"{clock} {subject}",
        "source": "test",
        "type": "billing.card.removed",
        "subject": subject,
        "time": f"2026-06-01T{clock}Z",
        "data": {"card_id": "c"},
    }
    return json.dumps(event | more).encode() + b"\n"


def a_span(begin: str = "12:00:00", until: str = "13:00:00", *pauses: tuple[str, str]) -> Span:
    return Span(at(begin), at(until), tuple(Pause(at(one), at(other)) for one, other in pauses))


def order(lines: Sequence[bytes], span: Span) -> list[int]:
    return [each.line.number for each in play(lines, span, STEP) if isinstance(each, Played)]


def shown(lines: Sequence[bytes], span: Span) -> list[str]:
    return [
        f"line {each.line.number}" if isinstance(each, Played) else f"tick {(each.at - at('12:00:00')) // MINUTE}"
        for each in play(lines, span, STEP)
    ]


def read_at(lines: Sequence[bytes], span: Span) -> dict[int, int]:
    return {each.line.number: each.at for each in play(lines, span, STEP) if isinstance(each, Played)}


def test_events_come_by_their_time_whatever_the_order_of_accounts_in_the_file() -> None:
    assert order([an_event("12:30:00", "a"), an_event("12:10:00", "b"), an_event("12:20:00", "c")], a_span()) == [
        2,
        3,
        1,
    ]


def test_events_of_one_instant_keep_the_order_of_the_file() -> None:
    assert order([an_event("12:10:00", subject) for subject in "cab"], a_span()) == [1, 2, 3]


def test_an_event_older_than_its_accounts_clock_is_read_when_the_clock_stands() -> None:
    lagging = [an_event("12:30:00"), an_event("12:10:00"), an_event("12:20:00", "b")]
    assert read_at(lagging, a_span()) == {1: at("12:30:00"), 2: at("12:30:00"), 3: at("12:20:00")}


def test_a_tick_comes_after_the_events_of_its_instant() -> None:
    lines = [an_event("12:10:00"), an_event("12:10:01", "b")]
    assert shown(lines, a_span(until="12:20:00")) == ["tick 0", "line 1", "tick 10", "line 2", "tick 20"]


def test_events_before_the_span_come_before_its_first_tick() -> None:
    assert shown([an_event("09:00:00")], a_span(until="12:10:00")) == ["line 1", "tick 0", "tick 10"]


def test_events_read_after_the_span_are_left_out() -> None:
    span = a_span(until="12:10:00")
    assert order([an_event("12:10:00"), an_event("12:10:00.000001", "b")], span) == [1]


def test_the_last_tick_is_at_until_on_the_grid_or_off_it() -> None:
    assert tick_instants(a_span(until="12:15:00"), STEP)[-2:] == [at("12:10:00"), at("12:15:00")]
    assert tick_instants(a_span(until="12:20:00"), STEP)[-2:] == [at("12:10:00"), at("12:20:00")]


def test_what_happens_in_a_pause_is_read_at_its_end_as_backlog_and_then_comes_the_tick() -> None:
    span = a_span("12:00:00", "12:30:00", ("12:05:00", "12:25:00"))
    lines = [an_event("12:10:00"), an_event("12:25:00", "b"), an_event("12:04:59", "c")]
    assert [
        (each.line.number, each.at, each.backlog) for each in play(lines, span, STEP) if isinstance(each, Played)
    ] == [
        (3, at("12:04:59"), False),
        (1, at("12:25:00"), True),
        (2, at("12:25:00"), False),
    ]
    assert shown(lines, span) == ["tick 0", "line 3", "tick 4", "line 1", "line 2", "tick 25", "tick 30"]


def test_no_tick_falls_into_a_pause_but_one_right_before_it_and_one_at_its_end() -> None:
    span = a_span("12:00:00", "13:00:00", ("12:15:00", "12:43:00"))
    assert tick_instants(span, STEP) == [
        at("12:00:00"),
        at("12:10:00"),
        at("12:15:00") - 1,
        at("12:43:00"),
        at("12:50:00"),
        at("13:00:00"),
    ]


def test_a_pause_that_outlasts_the_span_leaves_no_tick_at_its_end() -> None:
    span = a_span("12:00:00", "12:30:00", ("12:10:00", "14:00:00"))
    assert tick_instants(span, STEP) == [at("12:00:00"), at("12:10:00") - 1]
    assert order([an_event("12:20:00")], span) == []


def test_a_line_without_a_readable_time_is_read_with_the_line_before_it() -> None:
    lines = [an_event("12:10:00"), b"{ no json\n", an_event("x", "b"), an_event("12:05:00", "c")]
    assert read_at(lines, a_span()) == {1: at("12:10:00"), 2: at("12:10:00"), 3: at("12:10:00"), 4: at("12:05:00")}


def test_a_broken_event_is_read_at_its_time_and_moves_no_clock() -> None:
    lines = [an_event("12:50:00", data={}), an_event("12:40:00", type="unknown"), an_event("12:10:00")]
    assert read_at(lines, a_span()) == {1: at("12:50:00"), 2: at("12:40:00"), 3: at("12:10:00")}


def test_a_record_has_its_topic_by_its_type_and_its_key_by_its_subject() -> None:
    lines = [
        an_event("12:00:00", type="jobs.job.unscheduled"),
        an_event("12:00:00", "ü", type="portal.contact.password_changed"),
        an_event("12:00:00", type="unheard.of"),
        an_event("12:00:00", type=7),
        an_event("12:00:00", subject=None),
        b"null\n",
    ]
    assert [(line.topic, line.key) for line in lines_of(lines)] == [
        ("jobs.events", b"a"),
        ("portal.events", "ü".encode()),
        ("billing.events", b"a"),
        ("billing.events", b"a"),
        ("billing.events", None),
        ("billing.events", None),
    ]


def test_empty_lines_are_no_records_and_still_count() -> None:
    assert [(line.number, line.value) for line in lines_of([b"\n", b"{}\r\n", b"  \n", b"[]"])] == [
        (2, b"{}"),
        (4, b"[]"),
    ]


@pytest.mark.parametrize("days", [1, 61])
def test_a_day_has_144_ticks_of_ten_minutes(days: int) -> None:
    begin = at("00:00:00")
    ticks = [each for each in play([], Span(begin, begin + days * DAY), STEP) if isinstance(each, Ticked)]
    assert len(ticks) == days * 144 + 1


def test_an_account_and_a_user_of_one_id_each_have_their_own_clock() -> None:
    user = {"user_id": "a", "name": "A", "email": "a@x.example", "language": "en", "company_id": "acme"}
    asked = an_event(
        "12:30:00",
        type="portal.user.password_reset_requested",
        data={"user": user, "reset_url": "https://x.example/r", "expires_at": "2026-06-02T00:00:00Z"},
    )
    assert read_at([asked, an_event("12:10:00")], a_span()) == {1: at("12:30:00"), 2: at("12:10:00")}


def test_an_event_known_already_moves_no_clock_whatever_its_time() -> None:
    again = an_event("12:30:00", id="one")
    assert read_at([an_event("12:00:00", id="one"), again, an_event("12:10:00")], a_span())[3] == at("12:10:00")
