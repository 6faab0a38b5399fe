"""Gathers what the verdict compares: what the system did, what `simulate` decides, and what the mailbox holds."""

import asyncio
from typing import Any, Final

import orjson

from app.delivery.message import local_part
from app.dev.demo.commands import simulation
from app.dev.demo.crew import CrewError, Role
from app.dev.demo.mailbox import message_ids
from app.dev.demo.scene import Scene
from app.dev.demo.setting_up import Stage
from app.dev.demo.verdict import Comparison, compare_decisions, compare_mails

SIMULATE: Final = "simulate"
LOOK_SECONDS: Final = 0.05


async def judge(stage: Stage, scene: Scene) -> tuple[Comparison, Comparison]:
    """Return how decisions and mails compare. Raises CrewError where `simulate` writes nothing, MailboxAwayError."""
    simulated = await _simulated(stage)
    mails = await message_ids(stage.ports.page_url)
    return compare_decisions(scene.decisions, simulated), compare_mails(scene.decisions, local_part, mails)


async def _simulated(stage: Stage) -> list[dict[str, Any]]:
    """Run `simulate` as a person would, in a process of its own."""
    plan, crew = stage.plan, stage.crew
    command = simulation(plan, plan.config, plan.simulated)
    crew.start(Role(SIMULATE, command, {}, plan.log(SIMULATE)))
    while crew.status(SIMULATE) is None:  # noqa: ASYNC110 - a process that ends sends no event
        await asyncio.sleep(LOOK_SECONDS)
    if not plan.simulated.exists():
        raise CrewError(f"simulate wrote nothing: see {plan.log(SIMULATE)}")
    return [orjson.loads(line) for line in plan.simulated.read_bytes().splitlines()]
