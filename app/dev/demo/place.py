"""The demo's directory: one demo at a time, and nothing of the one before."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import WhimbrelError

LOCK = "lock"


class PlaceError(WhimbrelError):
    """The demo cannot have its directory."""


@contextmanager
def taken(directory: Path) -> Iterator[None]:
    """Hold `directory`, emptied, while the context lasts.

    Raises PlaceError where another demo runs in it, or where it holds what no demo has left.
    """
    lock = directory / LOCK
    if directory.exists() and not lock.exists() and any(directory.iterdir()):
        raise PlaceError(f"{directory} was not left by a demo: it would be emptied. Choose another with --data")
    directory.mkdir(parents=True, exist_ok=True)
    with lock.open("ab") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PlaceError(
                f"a demo is running in {directory}: end it with Ctrl-C, or choose another --data"
            ) from error
        _empty(directory)
        yield


def _empty(directory: Path) -> None:
    for each in directory.iterdir():
        if each.name == LOCK:
            continue
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink()
