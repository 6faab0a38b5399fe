"""`python -m tests.faults.worker APP`: the product's own worker, with what the environment names: see striking.py for
failpoints, switching.py for repairs that are off.

APP is `triggers`, `sender`, or `counting` for the lane alone (tests/kafka/counting_worker.py).
"""

import os
import sys

from app.cli.main import main as whimbrel
from tests.faults import seams
from tests.faults.striking import striker
from tests.faults.switching import change
from tests.kafka import counting_worker


def main() -> None:
    """Install the failpoint, if any, and run the worker."""
    strikes = striker(os.environ)
    if strikes is not None:
        seams.install(strikes.reached)
        seams.make_frequent(strikes.failpoint.name)
    change(os.environ)
    (app,) = sys.argv[1:]
    if app == "counting":
        counting_worker.main()
    else:
        sys.argv = ["whimbrel", "worker", app]
        whimbrel()


if __name__ == "__main__":
    main()
