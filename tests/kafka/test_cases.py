"""Every case of tests/cases through real workers on a real broker: they decide what is expected, line by line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from app.contract.instants import MINUTE
from app.dev.kafka import DevKafka
from app.simulate.run import Span
from app.streams import client
from app.streams.names import Names
from tests.compare import differences
from tests.kafka.packing import Case, all_cases, packed, runs
from tests.kafka.system import PARTITIONS, System, ending
from tests.kafka.waiting import eventually

pytestmark = pytest.mark.kafka

CASES = all_cases(Path(__file__).parents[1] / "cases")
RUNS = runs(CASES)
STEP = 15 * MINUTE
"""As far apart as ticks may be."""
PASSED_OVER = {"filtered", "no_longer_true", "unknown_account", "no_recipient"}
"""What becomes of a neighbour's rule; `no_recipient` where the account stays unknown."""


@pytest.mark.parametrize(
    ("span", "cases"), RUNS, ids=[f"{cases[0].name}_and_{len(cases) - 1}_more" for _, cases in RUNS]
)
async def test_the_cases_decide_exactly_what_is_expected(
    kafka: DevKafka, names: Names, tmp_path: Path, span: Span, cases: list[Case]
) -> None:
    config, lines = packed(cases)
    system = System(kafka.bootstrap, names, tmp_path, smtp_port=1, partitions=min(len(cases), PARTITIONS))
    with ending(system):
        await system.prepare(config)
        system.start("one")
        await system.play(lines, span, STEP)
        await eventually(lambda: system.worked_off(span.until), 240)
        decided = await system.decided_of()
        parked = await client.read(kafka.bootstrap, names.dead_letters)
    found = [line for case in cases for line in wrong(case, decided)]
    assert not found, "\n".join([*found, system.logs()])
    assert len(parked) == sum(case.breaches for case in cases)


def wrong(case: Case, decided: Sequence[tuple[str, dict[str, Any]]]) -> list[str]:
    """Say how what was decided for the case's accounts and logins differs from what is expected."""
    mine = [decision for whose, decision in decided if whose.startswith(case.prefix)]
    neighbours = [decision for decision in mine if not case.owns(decision["rule"])]
    own = [case.back(decision) for decision in mine if case.owns(decision["rule"])]
    found = differences(case.expected, own) + [
        f"! {decision}" for decision in neighbours if decision["reason"] not in PASSED_OVER
    ]
    return [case.name, case.told["why"], *found] if found else []


def test_every_case_is_in_one_run() -> None:
    assert len(CASES) == 55
    assert sorted(case.name for _, cases in RUNS for case in cases) == sorted(case.name for case in CASES)
