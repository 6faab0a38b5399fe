"""Commands whose modules are imported when they are named: a worker does not wait for what only the demo needs."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group


def group_of(commands: Mapping[str, str]) -> type[TyperGroup]:
    """Return a class for `typer.Typer(cls=...)`; `commands` gives each name its `module:attribute`, in help's order.

    The attribute is a Typer of several commands, or a function.
    """

    class Group(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:
            del ctx
            return list(commands)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            del ctx
            return _command(cmd_name, commands[cmd_name]) if cmd_name in commands else None

    return Group


def _command(name: str, place: str) -> Any:
    module, _, attribute = place.partition(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        command: Any = get_group(found)
    else:
        alone = typer.Typer(add_completion=False)
        alone.command(name)(found)
        command = get_command(alone)
    command.name = name
    return command
