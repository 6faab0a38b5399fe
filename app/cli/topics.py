"""`whimbrel topics`: the topics, made and held to what they must be."""

import asyncio
from typing import Annotated

import typer

from app import bootstrap, clock, settings
from app.growth import growing
from app.growth.growing import Grown, Plan
from app.growth.journals import Table
from app.growth.placing import owner_of_attempt, owner_of_book_row
from app.streams import topics
from app.streams.names import Names
from app.streams.rewriting import patient

topics_app = typer.Typer(help="Create the topics, and check those that are there.", no_args_is_help=True)


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


@topics_app.command()
def grow(
    partitions: Annotated[int, typer.Option(min=2, help="N, the partition count that all topics shall have.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Give all topics more partitions, and move every account's state to its new one.

    Publishers are paused, everything is worked off, no dead letter is open and the workers of both apps are stopped
    before, or it is refused. Broken off, run it again: it goes on. Workers refuse to start until it is done.
    """
    if not yes:
        typer.confirm("This ends every worker that runs. Are all publishers paused?", abort=True, err=True)
    current = settings.load()
    grown = asyncio.run(_grow(current, partitions))
    if grown is None:
        print(f"all topics have {partitions} partitions, and nothing is left to move")
    else:
        print(f"{len(grown.accounts):,} accounts and users have moved with {grown.rows:,} rows: start the workers with")
        print(f"WHIMBREL_PARTITIONS={partitions}, then whoever publishes, anew, so that it sees the new number")


async def _grow(current: settings.Settings, partitions: int) -> Grown | None:
    async with patient(current.kafka) as patience:
        return await growing.grow(growth_plan(current, partitions), patience, print)


def growth_plan(current: settings.Settings, partitions: int) -> Plan:
    """Return what is to grow: all topics but the configuration's, and the tables of both apps."""
    names = Names(current.prefix)
    triggers, sender = bootstrap.triggers(current), bootstrap.sender(current)
    return Plan(
        bootstrap=current.kafka,
        names=names,
        topics=[topic.name for topic in topics.table(names, partitions, 1) if topic.name != names.config],
        tables=[
            Table(
                app=triggers.app,
                journal=triggers.journal,
                owner_of=owner_of_book_row,
                # A played history takes no replays.
                forwarded=() if triggers.external else (*names.facts, names.replays),
                drained=triggers.read if triggers.external else triggers.merged,
                read=triggers.read,
                clocked=True,
            ),
            Table(
                app=sender.app,
                journal=sender.journal,
                owner_of=owner_of_attempt,
                drained=sender.merged,
                read=sender.read,
            ),
        ],
        partitions=partitions,
        now=clock.now(),
        go_on=current.lost_input == "go_on",
    )
