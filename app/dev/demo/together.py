"""Several things done at once, of which none goes on when one has failed."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


async def together(main: Coroutine[Any, Any, T], *others: Coroutine[Any, Any, None]) -> T:
    """Return what `main` returns, and end the others with it; whatever fails first is raised."""
    task = asyncio.create_task(main)
    tasks: list[asyncio.Task[Any]] = [task, *(asyncio.create_task(each) for each in others)]
    pending = set(tasks)
    try:
        while not task.done():
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        return task.result()
    finally:
        await _end(tasks)


async def every(*works: Coroutine[Any, Any, None]) -> None:
    """Return when all are done; what fails first is raised, and ends the others."""
    tasks = [asyncio.create_task(each) for each in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        await _end(tasks)


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
