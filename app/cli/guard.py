"""`whimbrel guard`: rules that were about to send too much (DOMAIN.md, section 4, Guard and kill switch)."""

import asyncio
from typing import Annotated

import typer
from msgspec.structs import replace

from app import settings
from app.config.record import Recorded
from app.contract.instants import format_instant
from app.domain.switches import Switches, Trip
from app.errors import WhimbrelError
from app.streams import config_apply
from app.streams.names import Names

guard_app = typer.Typer(
    help="Rules held because they were about to send to too many: look at them, release them.", no_args_is_help=True
)


@guard_app.command("list")
def list_() -> None:
    """Say which rules are held, and under which trips."""
    current = settings.load()
    trips = asyncio.run(config_apply.current(current.kafka, Names(current.prefix).config)).switches.guard.open
    for trip in trips:
        print(_said(trip))
    if not trips:
        print("the guard holds nothing")


@guard_app.command()
def release(rule: Annotated[str, typer.Argument(metavar="RULE", help="The rule's id.")]) -> None:
    """Let go of what is held under the rule's trips of this moment; each is decided anew. A later trip holds again."""

    def change(found: Recorded) -> Switches:
        guard = found.switches.guard
        trips = guard.trips(rule)
        if not trips:
            held = ", ".join(sorted({trip.id.rule for trip in guard.open})) or "nothing"
            raise WhimbrelError(f"the guard does not hold {rule}; it holds {held}")
        return replace(found.switches, guard=guard.release(trips))

    current = settings.load()
    done = asyncio.run(config_apply.switch(current.kafka, Names(current.prefix).config, change))
    for trip in done.before.guard.open:
        if trip.id.rule == rule:
            print(f"released: {_said(trip)}")


def _said(trip: Trip) -> str:
    at = format_instant(trip.id.instant)
    return (
        f"{trip.id.rule}: partition {trip.id.partition} at {at}, {trip.recipients} recipients within the hour, "
        f"{trip.limit} allowed"
    )
