"""Follows what the system writes, beside it, as any reader could."""

from collections.abc import Callable
from contextlib import aclosing

from app.dev.demo.scene import Scene
from app.dev.demo.together import every
from app.engine.records import Record
from app.streams.client import records


async def watch(bootstrap: str, scene: Scene) -> None:
    """Keep `scene` true until cancelled. Raises KafkaAwayError."""
    names = scene.names
    await every(
        _follow(bootstrap, names.book_journal, scene.journaled),
        _follow(bootstrap, names.decisions, scene.decided),
        _follow(bootstrap, names.deliveries, scene.delivered),
    )


async def _follow(bootstrap: str, topic: str, take: Callable[[Record], None]) -> None:
    async with aclosing(records(bootstrap, topic, follow=True)) as each:
        async for record in each:
            take(record)
