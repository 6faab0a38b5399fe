"""Shows the play while it goes on: a picture on a terminal, now and then a line elsewhere."""

import asyncio
import time
from typing import Final

from rich.console import Console
from rich.live import Live

from app.dev.demo.highlights import Highlights
from app.dev.demo.scene import Scene
from app.dev.demo.screen import Sentence, picture, plain, sentence

FRAME_SECONDS: Final = 0.25
CHOOSE_SECONDS: Final = 1.0
PLAIN_SECONDS: Final = 5.0


async def show(scene: Scene, tell: Sentence, console: Console) -> None:
    """Show `scene` until cancelled; its last state stays on the terminal."""
    await (_pictures if console.is_interactive else _lines)(scene, tell, console)


async def _pictures(scene: Scene, tell: Sentence, console: Console) -> None:
    highlights, chosen, looked = Highlights(), 0, 0.0
    with Live(console=console, auto_refresh=False) as live:
        try:
            while True:
                if time.monotonic() - looked >= CHOOSE_SECONDS:
                    highlights.choose(scene.decisions[chosen:])
                    chosen, looked = len(scene.decisions), time.monotonic()
                live.update(picture(scene, highlights, tell, console), refresh=True)
                await asyncio.sleep(FRAME_SECONDS)
        finally:
            live.update(picture(scene, highlights, tell, console), refresh=True)


async def _lines(scene: Scene, tell: Sentence, console: Console) -> None:
    del tell
    told, said = 0, time.monotonic()
    try:
        while True:
            told = _news(scene, told, console)
            if time.monotonic() - said >= PLAIN_SECONDS:
                said = time.monotonic()
                console.print(f"  {plain(scene)}", soft_wrap=True, highlight=False)
            await asyncio.sleep(FRAME_SECONDS)
    finally:
        _news(scene, told, console)
        console.print(f"  {plain(scene)}", soft_wrap=True, highlight=False)


def _news(scene: Scene, told: int, console: Console) -> int:
    """Print the news from number `told` on; return how many there are."""
    for each in scene.news[told:]:
        console.print("  ", sentence(each), sep="", soft_wrap=True)
    return len(scene.news)
