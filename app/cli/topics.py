"""`whimbrel topics`: the topics, made and held to what they must be."""

import asyncio
from typing import Annotated

import typer

from app import settings
from app.streams import topics
from app.streams.names import Names

topics_app = typer.Typer(help="Create the topics, and check those that are there.", no_args_is_help=True)


@topics_app.callback()
def group() -> None:
    """Keep `create` a command of its own name, alone as it is."""


@topics_app.command()
def create(
    partitions: Annotated[
        int | None, typer.Option(min=1, help="N, the one partition count of all topics. Default: WHIMBREL_PARTITIONS.")
    ] = None,
    replication: Annotated[
        int | None, typer.Option(min=1, help="Copies of each. Default: 3, or as many as there are brokers.")
    ] = None,
) -> None:
    """Create what is missing; refuse what is there and otherwise than it must be, and say how to mend it."""
    current = settings.load()
    names, count = Names(current.prefix), partitions or current.partitions
    created = asyncio.run(topics.create(current.kafka, names, count, replication))
    for topic in created:
        print(f"created {topic.name} ({topic.partitions} partitions, {topic.settings['cleanup.policy']})")
    print(f"{len(created)} created, {len(topics.table(names, count, 1)) - len(created)} were there and in order")
