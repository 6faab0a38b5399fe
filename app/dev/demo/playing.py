"""The play itself: the history goes in, time with it, and in the middle a worker is killed."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from app.contract.instants import HOUR, Instant, datetime_of
from app.dev.demo import roles
from app.dev.demo.crew import Crew
from app.dev.demo.plan import TICK
from app.dev.demo.scene import Scene
from app.dev.demo.setting_up import Stage
from app.dev.demo.together import every
from app.dev.play import play
from app.dev.publish import Progress, publish_played

KILL_AT: Final = 0.4
"""Share of the time played. Halfway, the provider has an outage of its own."""
DOWN_SECONDS: Final = 2.0
STALL_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.05
CAUGHT_UP: Final = 6 * HOUR


async def perform(stage: Stage, scene: Scene) -> bool:
    """Return when all is worked off; False where nothing moves any more though it is not."""
    await every(_publish(stage, scene), _kill(stage.crew, scene), _tell_outages(scene))
    return await _settled(scene)


async def supervise(crew: Crew) -> None:
    """Raise CrewError as soon as a process ends by itself."""
    while True:
        crew.check()
        await asyncio.sleep(LOOK_SECONDS)


async def _publish(stage: Stage, scene: Scene) -> None:
    plan, span = stage.plan, stage.plan.span

    def on_tick(progress: Progress) -> None:
        scene.at = progress.at or span.begin
        scene.published = progress.facts

    with plan.history.open("rb") as lines:
        played = await publish_played(
            stage.ports.bootstrap,
            stage.names,
            play(lines, span, TICK),
            span.begin,
            day_seconds=plan.day_seconds,
            on_tick=on_tick,
        )
    on_tick(played)
    scene.played = True


async def _kill(crew: Crew, scene: Scene) -> None:
    """Kill a worker in the middle, as the kernel would, and start it again, as a supervisor would."""
    span = scene.span
    await _until(partial(_past, scene, span.begin + round((span.until - span.begin) * KILL_AT)))
    killed, fences = time.monotonic(), scene.fences.total()
    scene.tell("✗", f"kill -9 {crew.kill(roles.VICTIM)}: {roles.VICTIM} is gone, in the middle of its work")
    await asyncio.sleep(DOWN_SECONDS)
    scene.tell("·", f"{roles.VICTIM} is started again, as pid {crew.start_again(roles.VICTIM)}")
    await _until(lambda: scene.fences.total() > fences and scene.behind < CAUGHT_UP)
    seconds = time.monotonic() - killed
    scene.tell("✓", f"{roles.VICTIM} has caught up, {seconds:.1f} s after it was killed")


async def _tell_outages(scene: Scene) -> None:
    for pause in scene.span.pauses:
        await _until(partial(_past, scene, pause.begin - 1))
        day, hours = datetime_of(pause.begin).strftime("%d %b %H:%M"), (pause.end - pause.begin) // HOUR
        scene.tell("·", f"{day}: an outage of {hours} hours in the history; what comes meanwhile waits")


def _past(scene: Scene, instant: Instant) -> bool:
    return scene.at >= instant


async def _settled(scene: Scene) -> bool:
    """Wait until all is worked off, as long as there is any progress."""
    before, since = scene.progress, time.monotonic()
    while not scene.done:
        await asyncio.sleep(LOOK_SECONDS)
        if scene.progress != before:
            before, since = scene.progress, time.monotonic()
        elif time.monotonic() - since > STALL_SECONDS:
            return False
    return True


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the scene has many fields, and a frame a look is soon enough
        await asyncio.sleep(LOOK_SECONDS)
