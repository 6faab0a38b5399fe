"""`whimbrel publish`: a file of events into the topics."""

import asyncio
import re
import time
from collections.abc import Container
from typing import Annotated

import typer

from app import settings
from app.cli.values import instant, pause
from app.config.record import read_record
from app.contract.instants import DAY, HOUR, MINUTE, SECOND, Instant
from app.dev.play import lines_of, play
from app.dev.publish import publish_lines, publish_played
from app.engine.ticks import MILLISECOND
from app.simulate.run import Span
from app.streams.client import newest
from app.streams.names import Names

UNITS = {"d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND}


def publish(
    file: Annotated[typer.FileBinaryRead, typer.Argument(metavar="FILE.jsonl", help="CloudEvents, one a line.")],
    ticks: Annotated[
        str | None, typer.Option(help="Play the file's own time too, with a tick as often as this: 10m.")
    ] = None,
    begin: Annotated[str | None, typer.Option("--from", help="With --ticks: the first tick, an instant.")] = None,
    until: Annotated[str | None, typer.Option(help="With --ticks: the last tick; later events are left out.")] = None,
    pauses: Annotated[
        list[str] | None,
        typer.Option("--pause", help="With --ticks: FROM..TO, nothing is read in between. Repeatable."),
    ] = None,
    pace: Annotated[
        float, typer.Option(min=0.0, help="With --ticks: seconds that a day takes at least, from --from on.")
    ] = 0.0,
) -> None:
    """Publish structured events, by their type into billing.events, jobs.events or portal.events, keyed by subject.

    With --ticks for workers that run with WHIMBREL_TICKS=external: the history goes through them as through simulate.
    """
    current = settings.load()
    names, started = Names(current.prefix), time.monotonic()
    if ticks is None:
        if begin or until or pauses or pace:
            raise typer.BadParameter("--from, --until, --pause and --pace go with --ticks")
        progress = asyncio.run(publish_lines(current.kafka, names, lines_of(file)))
    else:
        if not begin or not until:
            raise typer.BadParameter("--ticks needs --from and --until")
        span = Span(instant(begin, "--from"), instant(until, "--until"), pause(pauses or []))
        companies = asyncio.run(configured(current.kafka, names))
        history = play(file, span, duration(ticks), companies)
        progress = asyncio.run(publish_played(current.kafka, names, history, span.begin, day_seconds=pace))
    seconds = time.monotonic() - started
    print(f"published {progress.facts:,} events and {progress.ticks:,} ticks in {seconds:.1f} s")


async def configured(bootstrap: str, names: Names) -> Container[str] | None:
    """Return the ids of the companies that are configured, None before the first apply."""
    record = await newest(bootstrap, names.config)
    if record is None or record.value is None:
        return None
    return read_record(record.value, record.timestamp * MILLISECOND, record.offset).companies


def duration(text: str) -> Instant:
    """Read `10m`, `30s`, `1h` or `1d` as microseconds; exit with status 2 where it is none."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", text)
    if not found:
        raise typer.BadParameter(f"--ticks {text!r} is no duration such as 10m, 30s or 1h")
    return int(found[1]) * UNITS[found[2]]
