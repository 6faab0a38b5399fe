"""Results are kept, and told in one line and in a table."""

from pathlib import Path

from tests.faults.report import table
from tests.faults.results import Result, keep, kept


def result(name: str, **changes: object) -> Result:
    fields: dict[str, object] = {
        "name": name,
        "seed": 1,
        "at": "2026-07-01T00:00:00Z",
        "seconds": 30.0,
        "facts": 1000,
        "decisions": 100,
        "faults": {"kill -9": 7, "relay in trouble": 2},
        "found": 100,
        "mails": 90,
        "accepted": 89,
        "unknown": 1,
        "stall": 2.25,
        "ends": {"137": 7, "1": 2},
    }
    return Result(**(fields | changes))  # type: ignore[arg-type]


def test_a_line_tells_everything() -> None:
    assert result("kill").line() == (
        "kill seed 1 | load 1000 facts, 100 decisions | faults kill -9 7, relay in trouble 2 | decisions 100/100/0/0"
        " | mails 90/89/0/0/1 | state differences 0 | longest stall 2.2 s"
        " | ends 1: 2, 137: 7 | ok in 30 s"
    )
    assert result("kill", wrong=["something"]).line().endswith("WRONG in 30 s")


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "results.jsonl"
    assert kept(path) == []
    for name in ("one", "two"):
        keep(result(name), path)
    assert kept(path) == [result("one"), result("two")]


def test_the_table_has_a_row_for_each_scenario_and_counts_kills_and_stops() -> None:
    lines = table([result("kill"), result("stop", faults={"stop": 3}, wrong=["x"]), result("kill", seed=2, stall=4)])
    assert lines[2:5] == [
        "| kill | 2 | 2,000, 200 | kill -9 14, relay in trouble 4 | 200, 0, 0 | 180, 178, 0, 0, 2 | 0 | 4.0 s |",
        "| stop (**1 wrong**) | 1 | 1,000, 100 | stop 3 | 100, 0, 0 | 90, 89, 0, 0, 1 | 0 | 2.2 s |",
        "",
    ]
    (summed,) = lines[5:]
    runs, decisions, mails = summed.split(". ")[:3]
    assert runs == "3 runs, 2026-07-01, seeds 1, 2: 17 kills and stops, 1 runs wrong"
    assert decisions == "Decisions expected, missing, extra: 300, 0, 0"
    assert mails == "Mails expected, lost, doubled, unknown: 270, 0, 0, 3."
