"""The commands, put together."""

import sys
import zoneinfo
from typing import Final

import typer

from app.cli.lazily import group_of
from app.errors import WhimbrelError

COMMANDS: Final = {
    "simulate": "app.cli.simulate:command",
    "publish": "app.cli.publish:publish",
    "forecast": "app.cli.forecast:command",
    "decisions": "app.cli.decisions:decisions",
    "config": "app.cli.config:config_app",
    "dead-letters": "app.cli.dead_letters:dead_letters_app",
    "kill": "app.cli.kill:kill_app",
    "guard": "app.cli.guard:guard_app",
    "contract": "app.cli.contract:contract_app",
    "topics": "app.cli.topics:topics_app",
    "rebuild": "app.cli.rebuild:rebuild",
    "templates": "app.cli.templates:templates_app",
    "worker": "app.cli.worker:worker_app",
    "dev": "app.cli.dev:dev_app",
}

app = typer.Typer(
    cls=group_of(COMMANDS),
    name="whimbrel",
    help="Triggered messages: once, on time, never on stale facts, and always able to say why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def whimbrel() -> None:
    """Take a command's name."""


def main() -> None:
    """Run the command; what a person can mend is said in one line, without a traceback."""
    zoneinfo.reset_tzpath(to=())  # the pinned tzdata, so that every worker goes by the same clocks
    try:
        app()
    except WhimbrelError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
