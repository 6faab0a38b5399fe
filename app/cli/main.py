"""The commands, put together."""

import sys

import typer

from app.cli import simulate
from app.errors import WhimbrelError

app = typer.Typer(
    name="whimbrel",
    help="Triggered messages: once, on time, never on stale facts, and always able to say why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("simulate")(simulate.command)


@app.callback()
def whimbrel() -> None:
    """Keep sub-commands even while there is only one."""


def main() -> None:
    """Run the command; what a person can mend is said in one line, without a traceback."""
    try:
        app()
    except WhimbrelError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
