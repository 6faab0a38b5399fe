"""`whimbrel dev kafka`: Apache Kafka as a child process."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from app.dev.kafka import DevKafka


def kafka(
    port: Annotated[int, typer.Option(help="The port on 127.0.0.1 to listen on; 0 takes a free one.")] = 9092,
    data: Annotated[
        Path | None, typer.Option(help="Where topics are kept. Default: a temporary directory, removed at the end.")
    ] = None,
) -> None:
    """Run Apache Kafka until Ctrl-C; the first time Maven fetches it (54 MB)."""
    # Ended by SIGTERM, too, it takes the broker and temporary data along in good order.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with DevKafka(data, port or None) as broker:
        try:
            print(f"Kafka at {broker.bootstrap}, data in {broker.data}, log {broker.log}; Ctrl-C ends it", flush=True)
            status = broker.wait()
        except KeyboardInterrupt:
            return
    typer.echo(f"error: Kafka ended by itself, status {status}", err=True)
    raise typer.Exit(1)
