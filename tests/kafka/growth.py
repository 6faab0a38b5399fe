"""What `whimbrel topics grow` does, called as a test needs it."""

from typing import Literal

from app import settings
from app.cli.topics import growth_plan
from app.growth import growing
from app.growth.growing import Grown
from app.streams.dead_letters import drop, letters
from app.streams.rewriting import patient
from tests.kafka.system import System


class Killed(BaseException):
    """The process ends here."""


async def grow(
    system: System, partitions: int, ticks: Literal["timer", "external"], said: list[str] | None = None
) -> Grown | None:
    current = settings.Settings(kafka=system.bootstrap, prefix=system.names.prefix, ticks=ticks)
    told = [] if said is None else said
    async with patient(current.kafka) as patience:
        return await growing.grow(growth_plan(current, partitions), patience, told.append)


async def drop_letters(system: System) -> None:
    known = await letters(system.bootstrap, system.names)
    await drop(system.bootstrap, system.names, list(known.values()), "2026-06-10T14:00:00Z", "ann", "a test")


async def refused(system: System) -> bool:
    """Whether the worker `early` was told that partitions are being moved."""
    return "is being moved to another number of partitions" in system.workers.logged("early")
