"""`whimbrel contract`: what the publishing teams need to hold their events against the contract."""

import json
from collections import Counter
from typing import Annotated

import typer

from app.contract.codec import EVENT_TYPES, decode
from app.contract.errors import ContractError, UnknownType
from app.contract.schema import schema_of

contract_app = typer.Typer(name="contract", help="The events that Whimbrel reads.", no_args_is_help=True)


@contract_app.command()
def schema(
    type_: Annotated[str | None, typer.Argument(metavar="TYPE", help="An event type; without it all of them.")] = None,
) -> None:
    """Print the JSON Schema of a type's events, or an object of all schemas by type."""
    if type_ is None:
        print(json.dumps({name: schema_of(name) for name in EVENT_TYPES}, indent=2))
        return
    if type_ not in EVENT_TYPES:
        raise typer.BadParameter(f"{type_} is not in the contract. Types: {', '.join(EVENT_TYPES)}")
    print(json.dumps(schema_of(type_), indent=2))


@contract_app.command()
def check(
    file: Annotated[typer.FileBinaryRead, typer.Argument(metavar="FILE.jsonl", help="Structured events, one a line.")],
) -> None:
    """Hold a file of events against the contract: each breach with its line and field; exit 1 when there is any.

    Whether a company exists and whether a time lies ahead of now, only the running system can say.
    """
    outcomes: Counter[str] = Counter()
    for line, text in enumerate(file, start=1):
        if text.strip():
            outcomes[_outcome(line, text)] += 1
    counts = (f"{outcomes[outcome]} {outcome}" for outcome in ("sound", "of unknown types", "broken"))
    print(f"{outcomes.total()} events: {', '.join(counts)}")
    if outcomes["broken"]:
        raise typer.Exit(1)


def _outcome(line: int, text: bytes) -> str:
    try:
        decode(text, None, keyed=False)
    except ContractError as breach:
        typer.echo(f"line {line}: {breach}", err=True)
        return "broken"
    except UnknownType as unknown:
        typer.echo(f"line {line}: {unknown}, passed over", err=True)
        return "of unknown types"
    return "sound"
