"""`whimbrel worker triggers`, `whimbrel worker sender`: the two apps, each as many workers as there are partitions."""

from collections.abc import Callable

import typer

from app import bootstrap, logs
from app.settings import Settings, load
from app.streams.opening import Wiring
from app.streams.worker import run_worker

worker_app = typer.Typer(help="Run a worker until SIGTERM.", no_args_is_help=True)


@worker_app.command()
def triggers() -> None:
    """Turn facts and passing days into decisions."""
    _run(bootstrap.triggers)


@worker_app.command()
def sender() -> None:
    """Hand notifications over to the mail relay."""
    _run(bootstrap.sender)


def _run(wire: Callable[[Settings], Wiring]) -> None:
    settings = load()
    logs.setup(settings.log_format, settings.log_level)
    run_worker(wire(settings), settings)
