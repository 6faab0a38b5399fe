"""The Faust app: a member of a consumer group whose partitions are lanes."""

import logging
from collections.abc import Iterable
from typing import Any

import faust
from faust.app.base import BootStrategy
from mode.types import ServiceT

from app.settings import Settings
from app.streams.consumer import LaneConsumer, LaneTransport
from app.streams.lanes import REVOKE_SECONDS, Lanes

HEARTBEATS_A_SESSION = 3
NOWHERE = "http://nowhere"
"""Nobody calls a worker by Faust's web. The assignor ends a member whose stored assignment names another host than its
own: a container that is made anew under its old name, within its session, would be one."""
MAX_POLL_SECONDS = 30
"""Lanes are fed beside their batches, several times a second: who fetches nothing for so long has lost its way, and
others take over."""
REJOIN_SECONDS = REVOKE_SECONDS + 10
"""After it has heard of a rebalance, at a heartbeat: the group waits no longer for a member that does not come."""


class ConsumerOnly(BootStrategy):  # type: ignore[misc]
    """What a worker starts of Faust: producers, agents and tables are the lanes'."""

    def server(self) -> Iterable[ServiceT]:
        """Return the consumer."""
        return [self.app.consumer]


class LaneApp(faust.App):  # type: ignore[misc]
    """An app whose consumer feeds `lanes`."""

    logger = logging.getLogger("faust.app")
    BootStrategy = ConsumerOnly

    def __init__(self, group: str, lanes: Lanes, settings: Settings) -> None:
        """Make a member of `group`."""
        session = settings.session_seconds
        super().__init__(
            group,
            broker=[f"kafka://{server}" for server in settings.kafka.split(",")],
            datadir=settings.state,
            canonical_url=NOWHERE,
            web_enabled=False,
            topic_allow_declare=False,
            consumer_group_instance_id=settings.worker or None,
            broker_session_timeout=session,
            broker_heartbeat_interval=session / HEARTBEATS_A_SESSION,
            broker_rebalance_timeout=session / HEARTBEATS_A_SESSION + REJOIN_SECONDS,
            broker_max_poll_interval=MAX_POLL_SECONDS,
            broker_commit_interval=2.0,
        )
        self.lanes = lanes

    def _new_transport(self) -> LaneTransport:
        return LaneTransport(self.conf.broker_consumer, self)

    def _new_consumer(self) -> LaneConsumer:
        consumer: LaneConsumer = super()._new_consumer()
        consumer.lanes = self.lanes
        return consumer

    async def _wait_for_table_recovery_completed(self) -> bool:
        return False  # lanes restore their own rows, after the assignment

    async def on_started(self) -> None:
        """Join the group."""
        await super().on_started()
        await self.consumer.subscribe(self.lanes.topics)

    async def crash(self, reason: BaseException) -> None:
        """End the process: what is left of the app would only fall silent."""
        self.lanes.fail(reason)

    async def _stop_consumer(self) -> None:
        """Leave out Faust's wait for its streams: the lanes are closed by now."""


def start_line(settings: Settings) -> dict[str, Any]:
    """Return what the start line of a worker says of its settings."""
    return {
        "kafka": settings.kafka,
        "delivery": settings.delivery,
        "ticks": settings.ticks,
        "worker": settings.worker or None,
        "prefix": settings.prefix or None,
    }
