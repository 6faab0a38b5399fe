"""A child process that never outlives the process that started it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from app.errors import WhimbrelError

GUARD = Path(__file__).with_name("guard.py")
AFTER_KILL_SECONDS = 5.0


class ProcessError(WhimbrelError):
    """A child process could not be started."""


class Process:
    """`command`, running since construction, its output appended to `log`.

    It is in a session of its own, so that Ctrl-C of the terminal does not reach it, and it is ended when this process
    ends in whatever way (see `app.dev.guard`): SIGTERM first, SIGKILL after `grace` seconds.
    """

    def __init__(
        self, command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None, grace: float = 10.0
    ) -> None:
        """Start `command`; `environment` replaces the inherited one. Raise ProcessError where it cannot be executed."""
        self._grace = grace
        self._link, theirs = socket.socketpair()
        guarded = [sys.executable, "-I", "-S", str(GUARD), str(os.getpid()), str(grace), *command]
        with theirs, log.open("ab") as output:
            self._guard: subprocess.Popen[bytes] = subprocess.Popen(
                guarded, stdin=theirs.fileno(), stdout=output, stderr=output, env=environment, start_new_session=True
            )
        try:
            with self._link.makefile("rb") as lines:
                line = lines.readline()
        except BaseException:
            self._end_guard()
            raise
        if not line:
            self._end_guard()
            raise ProcessError(f"could not run {command[0]}: see {log}")
        self.pid = int(line)

    def _end_guard(self) -> None:
        self._link.close()
        self._guard.wait()

    def __enter__(self) -> Self:
        """Return the running process."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    @property
    def running(self) -> bool:
        return self._guard.poll() is None

    def wait(self, seconds: float | None = None) -> int | None:
        """Return the exit status (128 + n where signal n ended it), or None where it still runs after `seconds`."""
        try:
            return self._guard.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended already."""
        if self.running:
            with suppress(ProcessLookupError):  # it has just ended, and its guard is about to
                os.kill(self.pid, number)

    def kill(self) -> int:
        """End it as a crash would, and return its exit status."""
        self.send(signal.SIGKILL)
        return self.stop()

    def stop(self) -> int:
        """Ask it to end, kill it where it does not within its grace, and return its exit status."""
        self._link.close()
        if self.running:
            # A stopped process would see nothing of the request before its grace is over.
            self.send(signal.SIGCONT)
        return self._guard.wait(self._grace + AFTER_KILL_SECONDS)
