"""Every named point of the commit path, in worker processes on a real broker: killed there, stopped there."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.dev.kafka import DevKafka
from app.streams.names import Names
from tests.failpoints import BATCH, OPENING, REVOKE, SENDER, TIME, Point
from tests.faults.load import provider
from tests.faults.run import STORM, TAKE_OVER, Run, seed
from tests.faults.victims import COMMAND, Parts, Strikes

pytestmark = [pytest.mark.kafka, pytest.mark.long]

PARTS = 130
LIVE_ONLY = {"tick-made", "row-returned"}
"""In a played history time is data, and every notification is fresh: see test_failpoints_live.py."""
NOT_SENDERS = {"outputs-half", "slice-committed"}
"""The sender's outputs go to one topic, and it has no ticks."""


def names_of(points: Sequence[Point], besides: set[str]) -> list[str]:
    return [point.name for point in points if point.name not in besides]


@pytest.mark.parametrize("action", ["kill", "stop"])
async def test_struck_at_every_point_nothing_is_lost_or_sent_twice(
    kafka: DevKafka, names: Names, tmp_path: Path, action: str
) -> None:
    points = {
        "triggers": names_of((*OPENING, *BATCH, *TIME, *REVOKE), LIVE_ONLY),
        # Its openings come when its journal has something to restore.
        "sender": names_of((*SENDER, *BATCH, *OPENING, *TIME, *REVOKE), LIVE_ONLY | NOT_SENDERS),
    }
    # Who dies opening a partition is followed by one that does, too.
    stall = STORM if action == "kill" else TAKE_OVER
    async with Run(
        f"{action} at every point",
        kafka.bootstrap,
        names,
        tmp_path,
        provider(seed(), accounts=400),
        static=False,
        command=COMMAND,
        stall=stall,
        WHIMBREL_SESSION_SECONDS="2",
        WHIMBREL_SMTP_CONCURRENCY="2",
    ) as run:
        parts = Parts(run, PARTS)
        strikes = {app: Strikes(run, app, action, parts.publish) for app in points}

        async def strike(app: str) -> None:
            await strikes[app].begin()
            for point in points[app]:
                await strikes[app].at(point)

        await run.relay.behave("deferring", 0.2)
        await asyncio.gather(*(strike(app) for app in points))
        await parts.rest()
        assert {app: each.struck for app, each in strikes.items()} == points
        await run.finish()
