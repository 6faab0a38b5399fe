"""Where a lane goes on in a topic that may have lost what comes next."""

import pytest

from app.engine.ports import StateUnusableError
from app.streams.positions import begun, resumed


@pytest.mark.parametrize("position", [5, 7, 9])
def test_what_the_log_has_is_gone_on_with(position: int) -> None:
    assert resumed("facts", 3, position, 5, 9, go_on=False) == position


@pytest.mark.parametrize(
    ("position", "beginning", "end", "said"),
    [
        (4, 5, 9, r"facts\[3\]: retention has removed records 4 to 4 before they were processed"),
        (10, 5, 9, r"facts\[3\]: records below 10 were processed, but it ends at 9: it was made anew"),
    ],
)
def test_where_records_are_lost_it_ends_and_says_which_unless_told_to_go_on(
    position: int, beginning: int, end: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(StateUnusableError, match=said + ".*WHIMBREL_LOST_INPUT=go_on"):
        resumed("facts", 3, position, beginning, end, go_on=False)
    assert resumed("facts", 3, position, beginning, end, go_on=True) == beginning
    assert f"going on from record {beginning}" in caplog.text


def test_a_new_journal_begins_with_the_topics() -> None:
    assert begun("journal", "done", 3, {"in": 5}, {"in": 9}, done=0, go_on=False) == {"in": 5}


def test_where_the_journal_is_lost_nothing_is_done_a_second_time(caplog: pytest.LogCaptureFixture) -> None:
    said = r"journal\[3\] is empty, but done\[3\] has had 7 records.*in\[3\]@9.*WHIMBREL_LOST_INPUT=go_on"
    with pytest.raises(StateUnusableError, match=said):
        begun("journal", "done", 3, {"in": 5}, {"in": 9}, done=7, go_on=False)
    assert begun("journal", "done", 3, {"in": 5}, {"in": 9}, done=7, go_on=True) == {"in": 9}
    assert "going on with what comes from now on" in caplog.text
