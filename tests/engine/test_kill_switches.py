"""The kill switches of a live partition: what they hold comes out once, whoever owns it by then."""

from collections import Counter

import pytest

from app.contract.instants import DAY, MINUTE, SECOND
from app.domain.rules import Rulebook
from app.domain.switches import Kill, Switches
from app.engine.totals import totals
from app.engine.txn import Txn
from tests.builders import a_company, a_rule, at
from tests.engine.guarded import FAILED, MANY, NINE, PAST, SLICES, accounts, amid, failures, outcomes, switched
from tests.engine.office import Office


def held(office: Office) -> dict[str, int]:
    return totals(Txn(office.store)).held


@pytest.mark.parametrize("capacity", [None, 20_000])
def test_killed_and_switched_on_again_all_come_out_once_in_slices_even_where_a_batch_is_too_large(
    capacity: int | None,
) -> None:
    office = Office(Rulebook([a_rule(PAST, x=1)], {"acme": a_company()}), capacity=capacity)
    for event in accounts(12):
        office.tell(event)
    office.run_until(at("2026-06-11 08:59"))
    switched(office, Switches(Kill(all=True)))
    office.run_until(NINE + SECOND)
    assert outcomes(office) == {"held(kill_switch)": 12}
    assert held(office) == {"kill_switch": 12}
    office.run_and_kill(lambda _: False)
    office.run_until(NINE + DAY)
    assert outcomes(office) == {}
    switched(office, Switches())
    office.run_until(NINE + DAY + SECOND)
    office.run_until(NINE + DAY + MINUTE)
    assert outcomes(office) == {"sent": 12}
    assert held(office) == {}
    assert len(office.outbox()) == 12 * MANY


def test_off_on_and_off_again_between_two_ticks_leaves_nothing_behind() -> None:
    office = Office(Rulebook([a_rule(FAILED)], {"acme": a_company()}))
    office.tell(*accounts(3))
    office.run_until(NINE)
    switched(office, Switches(Kill(all=True)))
    failures(office, 3)
    office.run()
    assert outcomes(office) == {"held(kill_switch)": 3}
    switched(office, Switches())
    office.run_until(NINE + SECOND)
    assert outcomes(office) == {"sent": 3}


def test_a_release_that_begins_amid_a_tick_is_finished_by_the_next() -> None:
    office = Office(Rulebook([a_rule(FAILED)], {"acme": a_company()}), bounds=SLICES)
    office.tell(*accounts(12))
    office.run_until(NINE)
    switched(office, Switches(Kill(all=True)))
    failures(office, 12)
    office.run()
    assert outcomes(office) == {"held(kill_switch)": 12}
    switched(office, Switches())
    office.come_to(NINE + SECOND)
    office.run_and_kill(amid)
    office.run_until(NINE + MINUTE)
    assert outcomes(office) == {"sent": 12}


def test_switched_off_before_a_killed_worker_s_tick_goes_on_what_was_held_in_it_comes_with_the_next() -> None:
    office = Office(Rulebook([a_rule(PAST, x=1)], {"acme": a_company()}), bounds=SLICES)
    office.tell(*accounts(12))
    office.run_until(at("2026-06-11 08:59"))
    switched(office, Switches(Kill(all=True)))
    office.come_to(NINE + SECOND)
    office.run_and_kill(amid)
    switched(office, Switches())
    office.run()
    assert 0 < outcomes(office)["held(kill_switch)"] < 12
    office.run_until(NINE + MINUTE)
    assert Counter(d["outcome"] for d in office.decisions())["sent"] > 0
    assert held(office) == {}
    assert len(office.outbox()) == 12 * MANY
