"""The demo's child processes: started, killed, started again, and ended all together, each by its own id."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from app.dev.process import Process
from app.errors import WhimbrelError
from app.settings import child_environment

LOG_END: Final = 2_000
GRACE_SECONDS: Final = 5.0
"""A worker that has not ended by then is killed: it goes on from its journal the next time, whatever it was doing."""


class CrewError(WhimbrelError):
    """A process of the demo ended by itself."""


class Broker(Protocol):
    """What all others work with."""

    @property
    def running(self) -> bool: ...
    def stop(self) -> object: ...


@dataclass(frozen=True)
class Role:
    """One command with its settings (WHIMBREL_* by name in lower case), its output in `log`."""

    name: str
    command: Sequence[str]
    settings: Mapping[str, object]
    log: Path


class Crew:
    """Whoever works for the demo."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._roles: dict[str, Role] = {}
        self._processes: dict[str, Process] = {}
        self._broker: Broker | None = None

    def start(self, role: Role) -> int:
        """Start the process of a role, and return its id. Raises ProcessError."""
        role.log.parent.mkdir(parents=True, exist_ok=True)
        process = Process(role.command, log=role.log, environment=child_environment(role.settings), grace=GRACE_SECONDS)
        self._roles[role.name], self._processes[role.name] = role, process
        return process.pid

    def kill(self, name: str) -> int:
        """End a process as a crash would, and return the id that it had."""
        process = self._processes.pop(name)
        process.kill()
        return process.pid

    def start_again(self, name: str) -> int:
        """Start a process that was killed, and return its new id."""
        return self.start(self._roles[name])

    def status(self, name: str) -> int | None:
        """Return the exit status of a process, None where it runs."""
        return self._processes[name].wait(0)

    def serve(self, broker: Broker) -> None:
        """Count a broker in, to be stopped after those who work with it."""
        self._broker = broker

    def check(self) -> None:
        """Raise CrewError, with the end of its log, where a process or the broker has ended by itself."""
        if self._broker is not None and not self._broker.running:
            raise CrewError("Kafka ended by itself")
        for name, process in self._processes.items():
            status = process.wait(0)
            if status is not None:
                log = self._roles[name].log
                end = log.read_text(encoding="utf-8", errors="replace")[-LOG_END:]
                raise CrewError(f"{name} ended by itself, status {status}; the end of {log}:\n{end}")

    def stop(self) -> int:
        """End all, the broker last; return how many there were."""
        stopped = sum(process.running for process in self._processes.values())
        with ThreadPoolExecutor(max(1, len(self._processes))) as pool:
            list(pool.map(Process.stop, self._processes.values()))
        self._processes.clear()
        if self._broker is not None:
            stopped += self._broker.running
            self._broker.stop()
        return stopped


def whimbrel() -> str:
    """Return the program as a person in this directory would call it."""
    program = Path(sys.executable).with_name("whimbrel")
    if not program.exists():
        return shutil.which("whimbrel") or "whimbrel"
    here = Path.cwd()
    return str(program.relative_to(here) if program.is_relative_to(here) else program)
