"""The guard of a live partition: what it counts, when it trips, what it holds, and what a killed worker leaves."""

from typing import Any

import pytest
from prometheus_client import REGISTRY

from app.contract.instants import HOUR, MINUTE, SECOND, Instant
from app.domain.rules import Rulebook
from app.domain.switches import Guard, Switches, Trip
from app.engine.guard import Allowance
from app.engine.lane import Lane
from app.engine.totals import totals
from app.engine.txn import Txn
from tests.builders import a_company, a_payment, a_rule, account_event, at, invoice_event
from tests.engine.guarded import (
    FAILED,
    MANY,
    NINE,
    PAST,
    SLICES,
    accounts,
    amid,
    an_office,
    failures,
    outcomes,
    switched,
)
from tests.engine.office import Office

SHARE = Allowance(max_per_hour=1).share(0)


def read_back(office: Office) -> Guard:
    """What the office has told comes back as configuration."""
    guard = Guard()
    for trip in office.told:
        guard = guard.tripped(trip)
    switched(office, Switches(guard=guard))
    return guard


def release(office: Office) -> None:
    guard = read_back(office)
    switched(office, Switches(guard=guard.release([trip.id for trip in guard.open])))


def tick_by_tick(office: Office, until: Instant) -> None:
    office.run_until(at("2026-06-11 08:59"))
    office.come_to(until)


def known(office: Office) -> int:
    return totals(Txn(office.store)).known


def test_a_tick_about_to_send_too_much_sends_nothing_and_the_others_are_told_once() -> None:
    office = an_office(a_rule(PAST, x=1), bounds=SLICES)
    office.tell(*accounts(21))
    tick_by_tick(office, NINE + SECOND)
    office.run()
    assert outcomes(office) == {"held(guard)": 21}
    assert office.outbox() == []
    (trip,) = office.told
    assert (trip.id.rule, trip.id.partition, trip.recipients, trip.limit) == (f"{PAST}-1", 0, 105, SHARE)
    office.run_until(office.now + 10 * SECOND)
    assert len(office.told) == 1


def test_trips_are_counted_and_what_is_held_is_shown_while_the_partition_is_here() -> None:
    def shown(name: str, **labels: str) -> float | None:
        return REGISTRY.get_sample_value(f"whimbrel_{name}", labels)

    office = an_office(a_rule(PAST, "shown", x=1))
    office.tell(*accounts(21))
    tick_by_tick(office, NINE + SECOND)
    office.run_and_kill(lambda _: len(office.told) > 0)
    assert shown("guard_trips_total", rule="shown") == 1
    assert shown("held", partition="0", reason="guard") == 21
    office.run_until(office.now + SECOND)
    assert shown("held", partition="0", reason="guard") is None, "a lane that ends takes it away"


def test_as_many_as_the_share_are_sent() -> None:
    office = an_office(a_rule(PAST, x=1), bounds=SLICES)
    office.tell(*accounts(20))
    tick_by_tick(office, NINE + SECOND)
    office.run()
    assert outcomes(office) == {"sent": 20}
    assert office.told == []


def test_another_rule_of_the_same_tick_is_sent() -> None:
    office = an_office(a_rule(PAST, x=1), a_rule(PAST, "few", x=1, categories=("general",)), bounds=SLICES)
    office.tell(*accounts(21))
    few = {"contact_id": "c", "name": "C", "email": "c@x.example", "categories": ["general"]}
    office.tell(account_event("2026-06-01 00:00", account="a000", contacts=[few]))
    office.tell(*accounts(1, first=99))
    tick_by_tick(office, NINE + SECOND)
    office.run()
    assert [(n.rule, n.account_id) for n in office.outbox()] == [("few", "a000")]


def inside(lane: Lane) -> bool:
    """Whether the tick has been begun, and nothing decided of it."""
    return lane.commit.cursor is not None and lane.commit.cursor.after == ""


@pytest.mark.parametrize("when", [inside, amid])
def test_killed_anywhere_in_the_tick_the_next_worker_holds_the_rest_and_tells_the_same_trip(when: Any) -> None:
    office = an_office(a_rule(PAST, x=1), bounds=SLICES)
    office.tell(*accounts(21))
    tick_by_tick(office, NINE + SECOND)
    office.run_and_kill(when)
    office.now += 7 * SECOND
    office.run()
    assert outcomes(office) == {"held(guard)": 21}
    assert len({trip.id for trip in office.told}) == 1


def test_released_all_come_out_once_whoever_owns_the_partition_by_then() -> None:
    office = an_office(a_rule(PAST, x=1), bounds=SLICES)
    office.tell(*accounts(21))
    tick_by_tick(office, NINE + SECOND)
    office.run_and_kill(lambda _: False)
    release(office)
    office.come_to(NINE + MINUTE)
    office.run_and_kill(amid)
    office.run_until(NINE + 2 * MINUTE)
    office.run_until(NINE + 3 * MINUTE)
    assert outcomes(office) == {"held(guard)": 21, "sent": 21}
    assert len(office.outbox()) == 21 * MANY
    assert len({trip.id for trip in office.told}) == 1, "what was released is not guarded again"


def test_what_was_released_is_not_counted_and_the_hour_begins_anew() -> None:
    office = an_office(a_rule(PAST, x=1), a_rule(FAILED), bounds=SLICES)
    office.tell(*accounts(21))
    office.run_until(NINE)
    failures(office, 21)
    office.run()
    assert outcomes(office) == {"held(guard)": 22, "sent": 20}, "the last of the failures is one too many"
    release(office)
    office.run_until(NINE + MINUTE)
    failures(office, 20)
    office.run_until(NINE + 2 * MINUTE)
    assert outcomes(office) == {"sent": 42}
    failures(office, 1)
    office.run()
    assert outcomes(office) == {"held(guard)": 1}
    assert [trip.id.rule for trip in office.told] == [f"{PAST}-1", FAILED, FAILED]


def test_the_hour_slides_and_a_restart_counts_on() -> None:
    office = an_office(a_rule(FAILED))
    office.tell(*accounts(30))
    office.run_until(NINE)
    failures(office, 10)
    office.run_and_kill(lambda _: False)
    office.run_until(NINE + 30 * MINUTE)
    failures(office, 10, first=10)
    office.run()
    assert outcomes(office) == {"sent": 20}
    office.run_until(NINE + HOUR + 2 * MINUTE)
    failures(office, 10, first=20)
    office.run_and_kill(lambda _: False)
    assert outcomes(office) == {"sent": 10}, "the first ten are more than an hour ago"
    failures(office, 1)
    office.run()
    assert outcomes(office) == {"held(guard)": 1}
    assert office.told[0].recipients == SHARE + MANY


def test_from_the_trip_on_the_rule_is_held_before_the_configuration_says_so_and_after_a_restart() -> None:
    office = an_office(a_rule(FAILED))
    office.tell(*accounts(25))
    office.run_until(NINE)
    failures(office, 21)
    office.run_and_kill(lambda _: False)
    failures(office, 1, first=24)
    office.run_until(NINE + 10 * SECOND)
    assert outcomes(office) == {"sent": 20, "held(guard)": 2}
    assert [trip.id for trip in office.told] == [office.told[0].id] * 2, "told again: repeats are harmless"
    read_back(office)
    office.run_until(NINE + 20 * SECOND)
    assert office.store.scan(b"guard/trip/") == [], "the configuration holds it now"
    office.run_until(NINE + 2 * HOUR)
    failures(office, 1)
    office.run_until(office.now + MINUTE)
    assert outcomes(office) == {"held(guard)": 1}, "until an operator releases it, however long that takes"


def test_a_trip_of_another_partition_holds_here_too() -> None:
    here, there = an_office(a_rule(FAILED)), an_office(a_rule(FAILED))
    there.tell(*accounts(21))
    there.run_until(NINE)
    failures(there, 21)
    there.run()
    here.tell(*accounts(1))
    here.run_until(NINE)
    switched(here, Switches(guard=Guard(open=tuple(there.told))))
    failures(here, 1)
    here.run()
    assert outcomes(here) == {"held(guard)": 1}
    assert here.told == []
    switched(here, Switches(guard=here.rulebook.switches.guard.release([there.told[0].id])))
    here.run_until(NINE + MINUTE)
    assert outcomes(here) == {"sent": 1}


def test_criticals_are_neither_counted_nor_held() -> None:
    office = an_office(a_rule(FAILED, critical=True))
    office.tell(*accounts(30))
    office.run_until(NINE)
    failures(office, 30)
    office.run()
    assert outcomes(office) == {"sent": 30}
    assert office.told == []


def test_what_another_reason_holds_is_not_about_to_be_sent() -> None:
    office = an_office(a_rule(PAST, x=1, send_at="21:00"), bounds=SLICES)
    office.rulebook = Rulebook([a_rule(PAST, x=1)], {"acme": a_company(window=(10 * 60, 20 * 60))})
    office.tell(*accounts(21))
    tick_by_tick(office, NINE + SECOND)
    office.run()
    assert outcomes(office) == {"held(window)": 21}
    office.run_until(NINE + HOUR + SECOND)
    assert outcomes(office) == {}
    assert office.outbox() == []
    assert [trip.recipients for trip in office.told] == [105], "now it is"


def test_what_a_fact_has_decided_between_the_slices_counts() -> None:
    office = an_office(a_rule(PAST, x=1), bounds=SLICES)
    office.tell(*accounts(20))
    tick_by_tick(office, NINE + SECOND)
    office.run_and_kill(inside)
    office.tell(*accounts(1, first=50))
    office.tell(account_event(office.now + SECOND, account="a019", name="New name"))
    office.run()
    assert outcomes(office)["sent"] == 20
    assert office.told == []


def test_where_the_clock_stands_still_a_second_trip_is_not_taken_for_the_released_one() -> None:
    office = an_office(a_rule(FAILED))
    office.tell(*accounts(25))
    office.run_until(NINE)
    failures(office, 21)
    office.run()
    release(office)
    office.tell(*[a_payment(NINE, account=f"a{n:03}", payment_id=f"q{n}") for n in range(21)])
    office.run()
    assert outcomes(office) == {"sent": 20 + 20, "held(guard)": 2}
    assert [trip.id.instant for trip in office.told] == [NINE, NINE + 1]


def test_without_an_allowance_nothing_is_counted() -> None:
    office = Office(Rulebook([a_rule(FAILED)], {"acme": a_company()}))
    office.tell(*accounts(30))
    office.run_until(NINE)
    failures(office, 30)
    office.run()
    assert outcomes(office) == {"sent": 30}
    assert office.store.scan(b"guard/sent/") == []


@pytest.mark.parametrize(
    ("allowance", "accounts_known", "share"),
    [
        (Allowance(), 0, 1_000),
        (Allowance(), 20_000, 1_000),
        (Allowance(), 20_020, 1_001),
        (Allowance(partitions=3), 0, 334),
        (Allowance(partitions=12), 0, 100),
        (Allowance(partitions=12), 10_000, 500),
        (Allowance(max_per_hour=4_000, partitions=4), 100_000, 1_000),
        (Allowance(max_per_hour=50, partitions=4), 100_000, 100),
    ],
)
def test_a_partition_s_share(allowance: Allowance, accounts_known: int, share: int) -> None:
    assert allowance.share(accounts_known) == share


def test_accounts_count_as_known_once_from_their_first_account_event_on() -> None:
    office = an_office(a_rule(PAST, x=1))
    office.tell(invoice_event(office.now, account="a"), *accounts(2))
    office.run()
    assert known(office) == 2
    office.tell(account_event(office.now, account="a"), account_event(office.now, account="a000", name="N"))
    office.run_and_kill(lambda _: False)
    office.run_until(office.now + MINUTE)
    assert known(office) == 3


def test_a_trip_names_what_the_rule_would_have_written_to() -> None:
    office = an_office(a_rule(FAILED), a_rule(PAST, x=1), bounds=SLICES)
    office.tell(*accounts(30))
    tick_by_tick(office, NINE + SECOND)
    office.run()
    assert [(trip.recipients, trip.limit) for trip in office.told] == [(150, SHARE)]
    assert isinstance(office.told[0], Trip)
