"""Values that several commands take."""

import pytest
import typer

from app.cli.values import pause
from app.simulate.run import Pause
from tests.builders import at

A, B, C, D = (f"2026-06-1{day}T00:00:00Z" for day in range(4))


def whole(begin: str, end: str) -> Pause:
    return Pause(at(begin), at(end))


def test_pauses_that_meet_are_one() -> None:
    assert pause([f"{B}..{C}", f"{A}..{B}", f"{C}..{D}"]) == (whole(A, D),)


def test_pauses_with_something_in_between_stay_two() -> None:
    assert pause([f"{C}..{D}", f"{A}..{B}"]) == (whole(A, B), whole(C, D))


@pytest.mark.parametrize("texts", [[A], [f"{B}..{A}"], [f"{A}..{A}"], [f"{A}..{C}", f"{B}..{D}"], ["x..y"]])
def test_what_is_no_pause_is_empty_or_overlaps_is_refused(texts: list[str]) -> None:
    with pytest.raises(typer.BadParameter):
        pause(texts)
