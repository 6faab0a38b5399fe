"""A big provider's year for `simulate`, and the 20 rules that it is decided by: the same seed gives the same bytes.

`python -m tests.benchmarks.year ACCOUNTS FILE` writes the events.
"""

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from operator import itemgetter
from pathlib import Path
from random import Random
from shutil import copy

from app.contract.instants import format_instant
from app.dev.customers.story import customer
from app.dev.provider import BEGIN, logged, span
from tests.benchmarks.triggers import CONFIG

SEED = 11
DAYS = 365
STORY_DAYS = 75
"""Of each account: about as long as 20 events take."""
EVENTS_EACH = 20
RULES = Path(__file__).with_name("rules.yaml")


def config(directory: Path) -> Path:
    """Make a directory in `directory` of the demo's companies and the 20 rules."""
    made = directory / "config"
    made.mkdir()
    copy(CONFIG / "companies.yaml", made)
    copy(RULES, made)
    return made


def bounds() -> tuple[str, str]:
    """Return the first and the last instant of which moments count."""
    year = span(DAYS)
    return format_instant(year.begin), format_instant(year.until)


def history(accounts: int) -> Iterator[bytes]:
    """Yield CloudEvents in log order, a line each: on average EVENTS_EACH of an account, which comes any day.

    As in real logs some lag, and some are sent twice.
    """
    dice, said = Random(SEED), list[tuple[datetime, bytes]]()
    for number in range(1, accounts + 1):
        begin = BEGIN + timedelta(days=dice.randrange(1, DAYS - STORY_DAYS))
        one = customer(number, SEED, begin, STORY_DAYS)
        one.said.sort(key=lambda each: each.logged)
        said += [(each.logged, each.line) for each in logged(one)]
    said.sort(key=itemgetter(0))
    return (line + b"\n" for _, line in islice(said, EVENTS_EACH * accounts))


if __name__ == "__main__":
    with Path(sys.argv[2]).open("wb") as file:
        file.writelines(history(int(sys.argv[1])))
