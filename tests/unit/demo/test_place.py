from pathlib import Path

import pytest

from app.dev.demo.place import PlaceError, taken


def test_what_an_earlier_demo_left_is_gone(tmp_path: Path) -> None:
    directory = tmp_path / ".demo"
    with taken(directory):
        (directory / "kafka").mkdir()
        (directory / "kafka" / "log").write_text("old")
        (directory / "history.jsonl").write_text("old")
    with taken(directory):
        assert [each.name for each in directory.iterdir()] == ["lock"]


def test_a_second_demo_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    with taken(tmp_path / ".demo"):
        (tmp_path / ".demo" / "history.jsonl").write_text("in use")
        with pytest.raises(PlaceError, match="a demo is running"), taken(tmp_path / ".demo"):
            pass
        assert (tmp_path / ".demo" / "history.jsonl").exists()


def test_a_directory_of_somebody_else_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(PlaceError, match="was not left by a demo"), taken(tmp_path):
        pass
    assert (tmp_path / "thesis.txt").exists()
