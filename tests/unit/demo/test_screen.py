import io

import pytest
from rich.console import Console

from app.cli.decisions import as_sentence
from app.contract.instants import DAY, HOUR
from app.dev.demo.highlights import Highlights
from app.dev.demo.scene import Scene
from app.dev.demo.screen import picture, plain
from app.engine.records import Commit, Cursor
from tests.unit.demo.lines import a_line
from tests.unit.demo.test_scene import NAMES, a_scene


@pytest.fixture
def scene() -> Scene:
    scene = a_scene()
    scene.at, scene.published = scene.span.begin + 3 * DAY + 9 * HOUR, 7140
    scene.outcomes.update(sent=2113, skipped=321)
    scene.deliveries.update(accepted=2101)
    for partition in (0, 1):
        cursor = Cursor(scene.at - HOUR, scene.at - HOUR)
        positions = {NAMES.billing: 3560}
        scene.commits[partition] = Commit(incarnation="j", positions=positions, cursor=cursor)
    return scene


def shown(scene: Scene, highlights: Highlights, *, width: int = 80, height: int = 24) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    console.print(picture(scene, highlights, as_sentence, console))
    assert isinstance(console.file, io.StringIO)
    return [line.strip() for line in console.file.getvalue().splitlines() if line.strip()]


def test_the_picture_tells_day_facts_decisions_mails_and_lag(scene: Scene) -> None:
    first, facts, decisions, mails, lag = shown(scene, Highlights())
    assert first.startswith("Thu 04 Jun 2026  09:00")
    assert first.endswith("day 4 of 10")
    assert facts.split() == ["facts", "7,120", "read"]
    assert decisions.endswith("2,113 sent · 321 skipped")
    assert mails.endswith("2,101 in the mailbox at http://127.0.0.1:8025/")
    assert lag.endswith("20 facts · 1.0 hours of the provider's time · 0 mails")


def test_the_last_decisions_come_with_their_reasons(scene: Scene) -> None:
    highlights = Highlights()
    highlights.choose([a_line("a0131", outcome="skipped", reason="no_longer_true")])
    assert any(
        "past-due-7" in line and "a0131" in line and "no longer true" in line for line in shown(scene, highlights)
    )


def test_the_picture_fits_a_terminal_of_80_by_24_with_all_the_news(scene: Scene) -> None:
    highlights = Highlights()
    for number in range(20):
        highlights.choose([a_line(f"a{number}", reason=str(number), subject="invoice:" + "9" * 80)])
    for _ in range(3):
        scene.tell("✓", "trigger worker 2 has caught up, 4.4 s after it was killed")
    lines = shown(scene, highlights)
    assert len(lines) <= 24 - 5  # the margins, and the space between the parts
    assert all(len(line) <= 80 for line in lines)
    assert "caught up" in lines[-1]


def test_a_plain_line_tells_the_same(scene: Scene) -> None:
    assert plain(scene) == (
        "04 Jun 2026 · facts 7,120 of 7,140 · sent 2,113 · skipped 321 · mails 2,101"
        " · lag 20 facts · 1.0 hours of the provider's time · 0 mails"
    )


def test_highlights_prefer_the_kinds_shown_least() -> None:
    highlights = Highlights()
    rare = a_line("a9", outcome="skipped", reason="late")
    highlights.choose([a_line(f"a{number}") for number in range(50)])
    highlights.choose([*(a_line(f"a{number}") for number in range(50)), rare])
    assert rare in highlights.shown
    assert len(highlights.shown) == 4
