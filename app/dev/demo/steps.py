"""The set-up as a person sees it: a line a step, with its seconds."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Final, TypeVar

from rich.console import Console
from rich.text import Text

T = TypeVar("T")
NAME_WIDTH: Final = 9
TEXT_WIDTH: Final = 54


@dataclass
class Step:
    """A step under way; `said` is what its line tells when it is done."""

    name: str
    said: str = ""


class Steps:
    """Writes the lines."""

    def __init__(self, console: Console) -> None:
        """Write to `console`; where that is a terminal, the step under way is shown, too."""
        self._console = console

    @contextmanager
    def step(self, name: str, doing: str) -> Iterator[Step]:
        """Time what happens inside, which is `doing`; a step that fails has no line."""
        begun = time.monotonic()
        step = Step(name)
        with self._under_way(doing):
            yield step
        self.done(step, time.monotonic() - begun)

    def done(self, step: Step, seconds: float) -> None:
        """Write a step's line."""
        self._console.print(
            Text.assemble(
                ("  ✓ ", "bold green"),
                f"{step.name:<{NAME_WIDTH}} {step.said:<{TEXT_WIDTH}}",
                (f"{seconds:5.1f} s", "dim"),
            ),
            soft_wrap=True,
        )

    def note(self, text: str) -> None:
        """Write what should be known of a step."""
        self._console.print(Text(f"  · {text}", style="yellow"), soft_wrap=True)

    def _under_way(self, doing: str) -> AbstractContextManager[object]:
        if not self._console.is_interactive:
            return nullcontext()
        return self._console.status(f"{doing} …", spinner="dots")


class Beside:
    """Work that goes on in a thread, one piece after the other, while other steps are taken."""

    def __init__(self) -> None:
        """Start no thread yet."""
        self._pool = ThreadPoolExecutor(1)

    def begin(self, work: Callable[[], T]) -> Future[tuple[T, float]]:
        """Do `work` when what was begun before is done; the result comes with its seconds."""

        def timed() -> tuple[T, float]:
            begun = time.monotonic()
            return work(), time.monotonic() - begun

        return self._pool.submit(timed)

    def no_more(self) -> None:
        """Let the thread end with the work that was begun."""
        self._pool.shutdown(wait=False)
