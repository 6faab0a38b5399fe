"""Failpoints as the environment names them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.failpoints import NAMES, POINTS
from tests.faults.striking import FAILPOINT, STRUCK, Failpoint, parse, striker


def test_every_point_has_a_name_of_its_own_and_a_sentence() -> None:
    assert len(NAMES) == len(POINTS)
    assert all(point.sentence.endswith(".") for point in POINTS)


def test_a_failpoint_is_read_as_it_is_written() -> None:
    for failpoint in (
        Failpoint("append-done", "kill"),
        Failpoint("append-done", "stop", 0.0, 7),
        Failpoint("batch-done", "delay", 1.5, 2),
    ):
        assert parse(str(failpoint)) == failpoint
    assert parse("batch-done:delay:3") == Failpoint("batch-done", "delay", 3.0, 1)


@pytest.mark.parametrize("text", ["nowhere:kill", "append-done:sing"])
def test_what_is_no_failpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no such failpoint"):
        parse(text)


def test_it_strikes_once_and_tells_before(tmp_path: Path) -> None:
    told = tmp_path / "struck"
    strikes = striker({FAILPOINT: "append-done:delay:0:2", STRUCK: str(told)})
    assert strikes is not None
    for name in ("append-done", "batch-done"):
        strikes.reached(name)
    assert not told.exists()
    for _ in range(2):
        strikes.reached("append-done")
    assert [line.split()[0] for line in told.read_text().splitlines()] == ["append-done:delay:0.0:2"]
    assert striker({}) is None


def test_a_worker_with_a_failpoint_that_does_not_exist_does_not_start() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.faults.worker", "triggers"],
        env={FAILPOINT: "nowhere:kill", STRUCK: "unused"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "no such failpoint: nowhere:kill" in ended.stderr
