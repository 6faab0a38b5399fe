"""A failpoint as the environment names it, and what a worker does to itself there."""

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from tests.failpoints import NAMES

FAILPOINT: Final = "WHIMBREL_TEST_FAILPOINT"
"""`NAME:kill`, `NAME:stop` or `NAME:delay:SECONDS`, and `:N` behind it: at the N-th time, else at the first."""
STRUCK: Final = "WHIMBREL_TEST_STRUCK"
"""The file to which a worker appends its failpoint right before it strikes: whoever waits for that looks there."""


class Failpoint(NamedTuple):
    """Where a worker strikes itself, and how."""

    name: str
    action: str
    seconds: float = 0.0
    nth: int = 1

    def __str__(self) -> str:
        seconds = f":{self.seconds}" if self.action == "delay" else ""
        return f"{self.name}:{self.action}{seconds}:{self.nth}"


def parse(text: str) -> Failpoint:
    """Read a failpoint; raise ValueError where it is none."""
    name, action, *rest = text.split(":")
    if name not in NAMES or action not in {"kill", "stop", "delay"}:
        raise ValueError(f"{FAILPOINT}: no such failpoint: {text}")
    seconds = float(rest.pop(0)) if action == "delay" else 0.0
    return Failpoint(name, action, seconds, int(rest[0]) if rest else 1)


class Striker:
    """Strikes this process once, at the failpoint."""

    def __init__(self, failpoint: Failpoint, told: Path) -> None:
        """Append to `told` before striking."""
        self.failpoint = failpoint
        self._told = told
        self._times = 0

    def reached(self, name: str) -> None:
        """Strike if this is the place and the time."""
        if name != self.failpoint.name:
            return
        self._times += 1
        if self._times != self.failpoint.nth:
            return
        with self._told.open("a") as told:
            told.write(f"{self.failpoint} {os.getpid()}\n")
        if self.failpoint.action == "delay":
            time.sleep(self.failpoint.seconds)  # the whole process stands still, heartbeats alone go on
        else:
            os.kill(os.getpid(), signal.SIGKILL if self.failpoint.action == "kill" else signal.SIGSTOP)


def striker(environment: Mapping[str, str]) -> Striker | None:
    """Return the striker that the environment asks for."""
    text = environment.get(FAILPOINT)
    return Striker(parse(text), Path(environment[STRUCK])) if text else None
