"""`whimbrel simulate`: the rules over a file."""

import gc
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from app.cli.values import instant, pause
from app.config.check import load_dir
from app.domain.rules import Rulebook
from app.engine.heart import Heart
from app.errors import WhimbrelError
from app.simulate.lines import Lines
from app.simulate.log import Numbered, by_subject
from app.simulate.run import Breach, Span, courses
from app.triggers import REGISTRY

TOLD_EVERY = 500
"""Events between two changes of the progress bar."""
GARBAGE_EVERY = 50_000
"""Almost nothing that a simulation makes is garbage in cycles, and all the lines are looked through to find it."""


class OutputError(WhimbrelError):
    """The decisions cannot be written."""


def command(
    config: Annotated[
        Path, typer.Option(help="Directory of rules.yaml and companies.yaml.", file_okay=False, exists=True)
    ],
    events: Annotated[Path, typer.Option(help="CloudEvents, one a line, in log order.", dir_okay=False, exists=True)],
    begin: Annotated[
        str, typer.Option("--from", help="First instant of which moments count, as 2026-06-01T00:00:00Z.")
    ],
    until: Annotated[str, typer.Option(help="Last instant of which moments count.")],
    output: Annotated[Path, typer.Option(help="Where the decisions go, a line of JSON each.", dir_okay=False)],
    pauses: Annotated[
        list[str] | None, typer.Option("--pause", help="FROM..TO: nothing is processed in between. Repeatable.")
    ] = None,
) -> None:
    """Decide what the running system would decide, without Kafka. Exit status 1 if a line breaks the contract.

    The events are read into memory before the first is played.
    """
    span = Span(instant(begin, "--from"), instant(until, "--until"), pause(pauses or []))
    if span.until < span.begin:
        raise typer.BadParameter("--until must not lie before --from")
    written = load_dir(config, REGISTRY)
    with events.open("rb") as lines, _opened(output) as file, _seldom_collected():
        breaches = _simulated(lines, events.stat().st_size, Rulebook(written.rules, written.companies), span, file)
    for breach in breaches:
        typer.echo(said(events, breach), err=True)
    if breaches:
        typer.echo(f"{len(breaches)} of the lines break the contract and were passed over", err=True)
        raise typer.Exit(1)


def said(events: Path, breach: Breach) -> str:
    """Return where the line is, and what is wrong with it."""
    return f"{events.name}:{breach.line}: {breach.field or 'record'}: {breach.reason}"


def _simulated(lines: IO[bytes], size: int, rulebook: Rulebook, span: Span, file: IO[bytes]) -> Sequence[Breach]:
    """Write the decisions to `file`, and tell on stderr how far it is, and what it came to."""
    begun, decided, playing = time.monotonic(), Lines(), _Playing()
    breaches: list[Breach] = []
    try:
        with _bar() as bar:
            groups = playing.told(bar, size, by_subject(lines), decided)
            for _ in courses(groups, Heart(rulebook, span.begin, decided), span, breaches):
                decided.forget()
        file.writelines(decided.in_order())
    except KeyboardInterrupt:
        typer.echo(f"interrupted after {playing.events:,} events: {file.name} is incomplete", err=True)
        raise typer.Exit(130) from None
    seconds = time.monotonic() - begun
    rate = (playing.events + decided.count_written) / max(seconds, 0.001)
    summary = f"{playing.events:,} events, {decided.count_written:,} decisions in {seconds:.1f} s: {rate:,.0f} a second"
    typer.echo(summary, err=True)
    return sorted(breaches)


class _Playing:
    """The lines of a file, counted as they are played."""

    def __init__(self) -> None:
        self.events = 0

    def told(
        self, bar: Progress, size: int, groups: Iterable[Sequence[Numbered]], decided: Lines
    ) -> Iterator[Sequence[Numbered]]:
        """Yield the lines of each subject, and tell the bar how many there were."""
        task = bar.add_task("", total=size, events=0, decisions=0, rate=0)
        begun, done, told = time.monotonic(), 0, 0
        for lines in groups:
            yield lines
            self.events += len(lines)
            done += sum(len(line) for _, line in lines)
            if self.events - told >= TOLD_EVERY:
                told = self.events
                rate = (self.events + decided.count_written) / (time.monotonic() - begun)
                bar.update(task, completed=done, events=self.events, decisions=decided.count_written, rate=rate)
        bar.update(task, completed=size, events=self.events, decisions=decided.count_written)


def _bar() -> Progress:
    """Return the bar, which nobody sees where stderr is no terminal."""
    console = Console(stderr=True)
    return Progress(
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[events]:,} events, {task.fields[decisions]:,} decisions"),
        TextColumn("{task.fields[rate]:,.0f} a second"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def _opened(output: Path) -> IO[bytes]:
    """Open it before the work is done rather than after."""
    try:
        return output.open("wb")
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {error.strerror}") from error


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Look for garbage seldom, and not among what is there already."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(GARBAGE_EVERY, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
