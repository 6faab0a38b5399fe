"""Dead letters on a real broker, by the command that operators use."""

import asyncio
import json
from typing import Any, NamedTuple

from typer.testing import CliRunner

from app.cli.main import app
from app.streams import client
from tests.kafka.system import System


def environment(system: System) -> dict[str, str]:
    return {"WHIMBREL_KAFKA": system.bootstrap, "WHIMBREL_PREFIX": system.names.prefix}


class Said(NamedTuple):
    """What a command has printed, and how it has ended."""

    exit_code: int
    stdout: str
    stderr: str


async def whimbrel(system: System, *arguments: str) -> Said:
    """Run the command in a thread: it has a loop of its own."""

    def run() -> Said:
        result = CliRunner().invoke(app, ["dead-letters", *arguments], env=environment(system), catch_exceptions=False)
        return Said(result.exit_code, result.stdout, result.stderr)

    return await asyncio.to_thread(run)


async def listed(system: System, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (await whimbrel(system, "list", "--json", *arguments)).stdout.splitlines()]


async def has_letters(system: System, count: int) -> bool:
    read = await client.read(system.bootstrap, system.names.dead_letters)
    return len([each for each in read if json.loads(each.value or b"")["state"] == "open"]) >= count
