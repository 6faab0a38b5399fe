import asyncio

import pytest

from app.dev.demo.together import every, together


async def for_ever(ended: list[str] | None = None) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        if ended is not None:
            ended.append("ended")


async def value(given: int) -> int:
    return given


async def failing() -> None:
    raise ValueError("said")


async def nothing() -> None: ...


async def test_what_goes_on_beside_ends_with_the_main_thing() -> None:
    ended: list[str] = []
    assert await together(value(7), for_ever(ended), nothing()) == 7
    assert ended == ["ended"]


async def test_what_fails_beside_is_raised_and_ends_the_main_thing() -> None:
    ended: list[str] = []
    with pytest.raises(ValueError, match="said"):
        await together(for_ever(ended), failing())
    assert ended == ["ended"]


async def test_every_waits_for_all_and_raises_the_first_failure() -> None:
    await every(nothing(), nothing())
    ended: list[str] = []
    with pytest.raises(ValueError, match="said"):
        await every(for_ever(ended), failing())
    assert ended == ["ended"]
