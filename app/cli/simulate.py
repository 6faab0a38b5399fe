"""`whimbrel simulate`: the rules over a file."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from app.cli.values import instant, pause
from app.config.check import load_dir
from app.domain.rules import Rulebook
from app.engine.writing import as_line
from app.simulate.run import Breach, Span, simulate
from app.triggers import REGISTRY


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
    """Decide what the running system would decide, without Kafka. Exit status 1 if a line breaks the contract."""
    span = Span(instant(begin, "--from"), instant(until, "--until"), pause(pauses or []))
    written = load_dir(config, REGISTRY)
    with events.open("rb") as lines:
        decisions, breaches = simulate(lines, Rulebook(written.rules, written.companies), span)
    with output.open("wb") as file:
        file.writelines(orjson.dumps(as_line(decision)) + b"\n" for decision in decisions)
    for breach in breaches:
        typer.echo(said(events, breach), err=True)
    if breaches:
        typer.echo(f"{len(breaches)} of the lines break the contract and were passed over", err=True)
        raise typer.Exit(1)


def said(events: Path, breach: Breach) -> str:
    """Return where the line is, and what is wrong with it."""
    return f"{events.name}:{breach.line}: {breach.field or 'record'}: {breach.reason}"
