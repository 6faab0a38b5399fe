"""`whimbrel kill`: the switches that hold everything but criticals (DOMAIN.md, section 4, Guard and kill switch)."""

import asyncio
from typing import Annotated

import typer
from msgspec.structs import replace

from app import settings
from app.config.entry import suggestion
from app.config.record import Recorded
from app.domain.switches import Kill, Switches
from app.errors import WhimbrelError
from app.streams import config_apply
from app.streams.names import Names

kill_app = typer.Typer(
    help="Hold everything but criticals, at once: of all companies, or of one. Nothing is lost.", no_args_is_help=True
)

Company = Annotated[str | None, typer.Option(metavar="ID", help="Of this company alone. Default: the global switch.")]


@kill_app.command()
def on(company: Company = None) -> None:
    """Hold from now on what would be sent; workers know within 20 seconds."""
    _switch(company, on=True)


@kill_app.command()
def off(company: Company = None) -> None:
    """Decide anew what was held: what no longer holds by then is not sent."""
    _switch(company, on=False)


@kill_app.command("list")
def list_() -> None:
    """Say which switches are on."""
    current = settings.load()
    print(_said(asyncio.run(config_apply.current(current.kafka, Names(current.prefix).config)).switches.kill))


def _switch(company: str | None, *, on: bool) -> None:
    def change(found: Recorded) -> Switches:
        kill = found.switches.kill
        if company is not None and company not in {*found.config.companies, *kill.companies}:
            known = ", ".join(sorted(found.config.companies)) or "none"
            raise WhimbrelError(f"no company {company}; there are {known}{suggestion(company, found.config.companies)}")
        return replace(found.switches, kill=kill.switched(company, on=on))

    current = settings.load()
    done = asyncio.run(config_apply.switch(current.kafka, Names(current.prefix).config, change))
    print(("" if done.before != done.after else "nothing changed; ") + _said(done.after.kill))


def _said(kill: Kill) -> str:
    held = [*(["all companies"] if kill.all else []), *kill.companies]
    return f"held but for criticals: {', '.join(held)}" if held else "no kill switch is on"
