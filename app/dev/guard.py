"""Run a command that ends when its parent does, however that one ends, a kill -9 included.

`python guard.py PARENT GRACE COMMAND...`: run by `app.dev.process` as a script, on the standard library alone, so
that it starts fast. Its standard input is one end of a socket pair: it writes the command's process id to it, and end
of file means that the parent is gone or wants the command ended. It then sends SIGTERM, and SIGKILL after GRACE
seconds, and exits with the command's status.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

PARENT_LOOK_SECONDS = 1.0
PR_SET_PDEATHSIG = 1
LINK = 0


def _dying_with_the_guard() -> Callable[[], object] | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _exit_with(command: subprocess.Popen[bytes]) -> None:
    status = command.wait()
    os._exit(status if status >= 0 else 128 - status)


def main(parent: int, grace: float, command: list[str]) -> None:
    # No other thread exists yet, so running Python between fork and exec is safe.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_dying_with_the_guard())  # noqa: PLW1509
    os.write(LINK, f"{child.pid}\n".encode())  # before anything looks whether it has ended
    watcher = threading.Thread(target=_exit_with, args=(child,), daemon=True)
    watcher.start()
    # A process forked off the parent may hold the other end open; the parent's id tells even then.
    while os.getppid() == parent and not select.select([LINK], [], [], PARENT_LOOK_SECONDS)[0]:
        pass
    child.terminate()
    watcher.join(grace)
    child.kill()
    watcher.join()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
