"""A profile of a measured process, where one is asked for."""

import cProfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def profiled(path: str) -> Iterator[None]:
    """Write a profile of the body to `path` (for pstats); an empty path measures nothing."""
    if not path:
        yield
        return
    profile = cProfile.Profile()
    profile.enable()
    try:
        yield
    finally:
        profile.disable()
        profile.dump_stats(path)
