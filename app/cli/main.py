"""The commands, put together."""

import sys
import zoneinfo

import typer

from app.cli import simulate
from app.cli.config import config_app
from app.cli.contract import contract_app
from app.cli.decisions import decisions
from app.cli.dev import dev_app
from app.cli.guard import guard_app
from app.cli.kill import kill_app
from app.cli.publish import publish
from app.cli.templates import templates_app
from app.cli.topics import topics_app
from app.cli.worker import worker_app
from app.errors import WhimbrelError

app = typer.Typer(
    name="whimbrel",
    help="Triggered messages: once, on time, never on stale facts, and always able to say why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("simulate")(simulate.command)
app.command("publish")(publish)
app.command("decisions")(decisions)
app.add_typer(config_app, name="config")
app.add_typer(kill_app, name="kill")
app.add_typer(guard_app, name="guard")
app.add_typer(contract_app, name="contract")
app.add_typer(topics_app, name="topics")
app.add_typer(templates_app, name="templates")
app.add_typer(worker_app, name="worker")
app.add_typer(dev_app, name="dev")


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
