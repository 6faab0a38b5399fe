"""`whimbrel dev`: the parts around Whimbrel, for development."""

from typing import Final

import typer

from app.cli.lazily import group_of

COMMANDS: Final = {
    "demo": "app.cli.demo:demo",
    "kafka": "app.cli.kafka:kafka",
    "mailbox": "app.cli.mailbox:mailbox",
}

dev_app = typer.Typer(cls=group_of(COMMANDS), help="What Whimbrel works with, for development.", no_args_is_help=True)


@dev_app.callback()
def dev() -> None:
    """Take a command's name."""
