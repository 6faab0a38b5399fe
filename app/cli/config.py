"""`whimbrel config`: rules.yaml and companies.yaml, checked and put in force."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from app import clock, settings
from app.config.check import COMPANIES, RULES, Config, load_dir
from app.contract.instants import format_instant
from app.delivery.check import check_template
from app.delivery.render import Renderer
from app.domain.builtin import BUILT_IN
from app.errors import WhimbrelError
from app.settings import Settings
from app.streams import config_apply
from app.streams.names import Names
from app.triggers import REGISTRY

config_app = typer.Typer(help="Rules and companies: check them, put them in force.", no_args_is_help=True)

Directory = Annotated[
    Path, typer.Argument(metavar="DIR", help=f"Holds {RULES} and {COMPANIES}.", exists=True, file_okay=False)
]


@config_app.command()
def check(directory: Directory) -> None:
    """Say everything that is wrong, with file, line, field and accepted values; nothing is put in force."""
    config = _load(directory, settings.load())
    written = sum(rule not in BUILT_IN for rule in config.rules)
    print(f"no mistakes: {_count(written, 'rule')}, {_count(len(config.companies), 'company', 'companies')}")


@config_app.command()
def apply(
    directory: Directory,
    as_written: Annotated[
        bool,
        typer.Option(
            "--as-written",
            help="Stamp nothing: enabled_at and version stand as in the file, absent ones are since ever and 1. "
            "For histories that are played, not for live mail.",
        ),
    ] = False,
) -> None:
    """Put all of it in force with one record; rules that are new or have changed count from 30 seconds later."""
    current = settings.load()
    config = _load(directory, current)
    if not as_written:
        _refuse_later(config)
    topic = Names(current.prefix).config
    applied = asyncio.run(config_apply.apply(current.kafka, topic, config, as_written=as_written))
    if applied is None:
        print("nothing changed")
        return
    for line in applied.changes:
        print(line)
    if not as_written and any(rule.enabled_at is not None for rule in config.rules):
        print("note: an apply stamps enabled_at and version; those of the file do not count without --as-written")
    print(f"applied as offset {applied.offset} of {topic}, in force from {format_instant(applied.effective)}")


def _load(directory: Path, current: Settings) -> Config:
    return load_dir(directory, REGISTRY, partial(check_template, renderer=Renderer(current.templates)))


def _refuse_later(config: Config) -> None:
    """Stamping over an `enabled_at` to come would send what its author wants sent later."""
    now = clock.now()
    later = sorted({rule.id for rule in config.rules if rule.enabled_at is not None and rule.enabled_at > now})
    if later:
        raise WhimbrelError(
            f"enabled_at lies ahead for {', '.join(later)}, but an apply puts everything in force now: "
            "write enabled: false until then, or apply it then"
        )


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
