"""`whimbrel dev demo`: everything at once, on this machine, with the promise checked at the end."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from app.cli.decisions import as_sentence
from app.config.check import load_dir
from app.dev.demo.plan import Plan
from app.dev.demo.run import Demo
from app.triggers import REGISTRY


def demo(
    data: Annotated[Path, typer.Option(help="Where everything is kept; what an earlier demo left is replaced.")] = Path(
        ".demo"
    ),
    accounts: Annotated[int, typer.Option(min=1, help="How many customers the provider has.")] = 300,
    days: Annotated[int, typer.Option(min=14, help="How long the history is.")] = 61,
    day_seconds: Annotated[float, typer.Option(min=0.0, help="What a simulated day takes at least.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Another one makes another history.")] = 7,
) -> None:
    """Play a provider's two months through Kafka, two trigger workers and a sender, and kill one of them on the way.

    Exit status 1 where decisions or mails differ from what simulate decides. On a terminal it stays until Ctrl-C.
    """
    load = partial(load_dir, triggers=REGISTRY)  # the templates are ours and tested: checking them takes a second
    run = Demo(Plan(data, accounts, days, seed, day_seconds), load, as_sentence, Console(highlight=False))
    raise typer.Exit(run.run())
