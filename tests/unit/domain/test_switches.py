import pytest

from app.domain.rules import Rulebook
from app.domain.switches import Guard, Kill, Switches, Trip, TripId

FIRST = Trip(TripId("past-due", 0, 100), recipients=1_200, limit=1_000)
ELSEWHERE = Trip(TripId("past-due", 3, 50), recipients=300, limit=250)
OTHER = Trip(TripId("failed", 0, 100), recipients=2_000, limit=1_000)


def test_nothing_is_held_back_unless_somebody_says_so() -> None:
    book = Rulebook([], {})
    assert not book.killed("acme")
    assert not book.switches.guard.trips("past-due")


def test_the_global_switch_holds_every_company() -> None:
    book = Rulebook([], {}, switches=Switches(kill=Kill().switched(None, on=True)))
    assert book.killed("acme")


def test_a_company_s_switch_holds_that_company_alone() -> None:
    kill = Kill().switched("other", on=True).switched("acme", on=True).switched("acme", on=True)
    assert kill == Kill(companies=("acme", "other"))
    assert [kill.holds(company) for company in ("acme", "other", "third")] == [True, True, False]
    assert kill.switched("acme", on=False) == Kill(companies=("other",))


@pytest.mark.parametrize("company", [None, "acme"])
def test_a_switch_that_goes_off_leaves_the_others_as_they_are(company: str | None) -> None:
    both = Kill(all=True, companies=("acme",))
    off = both.switched(company, on=False)
    assert off == (Kill(companies=("acme",)) if company is None else Kill(all=True))
    assert off.holds("acme")


def test_switching_off_what_is_off_changes_nothing() -> None:
    assert Kill().switched("acme", on=False) == Kill()


def test_a_trip_holds_its_rule_everywhere_and_no_other() -> None:
    guard = Guard().tripped(FIRST)
    assert guard.trips("past-due") == (FIRST.id,)
    assert guard.trips("failed") == ()


def test_trips_are_kept_in_the_order_of_their_ids_whoever_says_them_first() -> None:
    guard = Guard().tripped(ELSEWHERE).tripped(OTHER).tripped(FIRST)
    assert guard == Guard().tripped(FIRST).tripped(ELSEWHERE).tripped(OTHER)
    assert guard.open == (OTHER, FIRST, ELSEWHERE)


def test_a_trip_said_again_changes_nothing_before_and_after_its_release() -> None:
    again = Trip(FIRST.id, recipients=9, limit=1)
    held = Guard().tripped(FIRST)
    assert held.tripped(again) is held
    freed = held.release([FIRST.id])
    assert freed.tripped(again) is freed


def test_a_release_frees_what_was_held_under_the_trips_that_it_names_and_nothing_else() -> None:
    guard = Guard().tripped(FIRST).tripped(ELSEWHERE).release([FIRST.id])
    assert guard.trips("past-due")
    assert guard.frees([FIRST.id])
    assert not guard.frees([ELSEWHERE.id])
    assert not guard.frees([FIRST.id, ELSEWHERE.id])
    assert guard.release([ELSEWHERE.id]).frees([FIRST.id, ELSEWHERE.id])
    assert not guard.release([ELSEWHERE.id]).trips("past-due")


def test_what_is_held_under_a_trip_that_is_not_yet_known_stays_held() -> None:
    assert not Guard().frees([FIRST.id])


def test_releasing_a_trip_that_is_not_open_is_not_kept() -> None:
    assert Guard().tripped(FIRST).release([ELSEWHERE.id]) == Guard().tripped(FIRST)


def test_releases_are_forgotten_when_nothing_can_be_held_under_them_and_trips_never() -> None:
    guard = Guard().tripped(FIRST).tripped(ELSEWHERE).tripped(OTHER).release([FIRST.id, ELSEWHERE.id])
    assert guard.needed_since(50) == guard
    assert guard.needed_since(51).released == (FIRST.id,)
    assert guard.needed_since(10**18) == Guard(open=(OTHER,))
