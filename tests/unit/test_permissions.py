"""docs/operations.md names the permissions that workers need."""

import re
from pathlib import Path

import pytest

from app import bootstrap
from app.settings import Settings
from app.streams.names import Names

DOCUMENT = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
ROW = re.compile(r"^\| `worker (\w+)` \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$", re.MULTILINE)
ROWS = {app: [set(re.findall(r"`([^`]+)`", cell)) for cell in cells] for app, *cells in ROW.findall(DOCUMENT)}
NAMES = Names()
WIRINGS = {"triggers": bootstrap.triggers(Settings()), "sender": bootstrap.sender(Settings())}
WRITTEN = {
    "triggers": {NAMES.ticks, NAMES.config, NAMES.outbox, NAMES.decisions, NAMES.dead_letters},
    "sender": {NAMES.deliveries, NAMES.returns, NAMES.dead_letters},
}


@pytest.mark.parametrize("app", WIRINGS)
def test_a_worker_reads_what_its_lanes_do_its_journal_and_the_configuration(app: str) -> None:
    wiring = WIRINGS[app]
    assert ROWS[app][0] == set(wiring.topics) - {wiring.outcomes}


@pytest.mark.parametrize("app", WIRINGS)
def test_a_worker_writes_its_outputs_and_its_journal(app: str) -> None:
    assert ROWS[app][1] == WRITTEN[app] | {WIRINGS[app].journal}


@pytest.mark.parametrize("app", WIRINGS)
def test_a_worker_has_a_group_and_a_transactional_id_for_each_partition(app: str) -> None:
    group = WIRINGS[app].app
    assert {group, f"{group}-journal-P"} <= ROWS[app][2] <= {group, f"{group}-journal-P", f"{NAMES.config}-writer"}
