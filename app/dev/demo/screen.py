"""The play on a terminal, and as plain lines where there is none."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from app.contract.instants import DAY, HOUR, MINUTE, Instant, datetime_of
from app.dev.demo.highlights import Highlights
from app.dev.demo.scene import News, Scene

Sentence = Callable[[dict[str, Any]], str]
"""How a decision is told to people."""

OUTCOMES: Final[Mapping[str, str]] = {
    "sent": "green",
    "skipped": "yellow",
    "held": "cyan",
    "superseded": "magenta",
}
FRAME: Final = 14
"""Lines of the screen without decisions and news."""
LEAST: Final = 3
BAR: Final = 28


def picture(scene: Scene, highlights: Highlights, tell: Sentence, console: Console) -> RenderableType:
    """Return the screen as it is now, as high as the terminal allows."""
    room = max(LEAST, min(len(highlights.shown), console.height - FRAME - len(scene.news)))
    lines = list(highlights.shown)[-room:]
    parts: list[RenderableType] = [_time(scene), Text(), _figures(scene)]
    if lines:
        parts += [Text(), *(_decision(line, tell) for line in lines)]
    if scene.news:
        parts += [Text(), *(sentence(each) for each in scene.news)]
    return Padding(Group(*parts), (1, 2))


def plain(scene: Scene) -> str:
    """Return one line that says how far the play is."""
    outcomes = " · ".join(f"{name} {count:,}" for name, count in _outcomes(scene)) or "no decisions yet"
    return (
        f"{_date(scene.at)} · facts {scene.read:,} of {scene.published:,} · {outcomes}"
        f" · mails {scene.mails:,} · lag {_lag(scene)}"
    )


def sentence(news: News) -> Text:
    """Return a piece of news as a line."""
    style = {"✓": "green", "✗": "red"}.get(news.sign, "yellow")
    return Text.assemble((news.sign, f"bold {style}"), " ", news.text)


def _time(scene: Scene) -> RenderableType:
    span = scene.span
    days = -(-(span.until - span.begin) // DAY)
    today = min((scene.at - span.begin) // DAY + 1, days)
    doing = "all worked off" if scene.done else "all played" if scene.played else f"day {today} of {days}"
    bar = ProgressBar(span.until - span.begin, scene.at - span.begin, width=BAR, complete_style="green")
    line = Table.grid(padding=(0, 3))
    line.add_row(
        Text(datetime_of(scene.at).strftime("%a %d %b %Y  %H:%M"), style="bold"), bar, Text(doing, style="dim")
    )
    return line


def _figures(scene: Scene) -> RenderableType:
    table = Table.grid(padding=(0, 3))
    table.add_column(style="dim", min_width=9)
    table.add_row("facts", _facts(scene))
    table.add_row("decisions", _decisions(scene))
    table.add_row("mails", Text.assemble(f"{scene.mails:,} in the mailbox at ", (scene.page, "underline")))
    table.add_row("lag", Text(_lag(scene), style="" if scene.behind <= HOUR else "yellow"))
    return table


def _facts(scene: Scene) -> Text:
    letters = scene.due[scene.names.dead_letters]
    broken = (f" · {letters:,} broken, to the dead letters", "dim") if letters else ""
    return Text.assemble(f"{scene.read:,} read", broken)


def _decisions(scene: Scene) -> Text:
    parts = [(f"{count:,} {name}", OUTCOMES.get(name, "")) for name, count in _outcomes(scene)]
    return Text(" · ").join(Text(*part) for part in parts) if parts else Text("none yet", style="dim")


def _outcomes(scene: Scene) -> list[tuple[str, int]]:
    known = [name for name in OUTCOMES if scene.outcomes[name]]
    return [(name, scene.outcomes[name]) for name in known]


def _decision(line: Mapping[str, Any], tell: Sentence) -> Text:
    told = tell(dict(line))
    text = Text(told, no_wrap=True, overflow="ellipsis")
    begin = told.find(line["outcome"])
    if begin >= 0:
        end = max(begin, told.rfind("  ("))
        text.stylize(OUTCOMES.get(line["outcome"], ""), begin, end)
        text.stylize("dim", end)
    return text


def _lag(scene: Scene) -> str:
    return f"{scene.waiting:,} facts · {_length(scene.behind)} of the provider's time · {scene.undelivered:,} mails"


def _length(length: Instant) -> str:
    if length >= DAY:
        return f"{length / DAY:.1f} days"
    if length >= HOUR:
        return f"{length / HOUR:.1f} hours"
    return f"{length // MINUTE} min"


def _date(instant: Instant) -> str:
    return datetime_of(instant).strftime("%d %b %Y")
