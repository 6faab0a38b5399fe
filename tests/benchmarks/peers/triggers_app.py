"""The triggers app as `whimbrel worker triggers` runs it, in external mode, until the history is worked off."""

from pathlib import Path

from app import bootstrap
from app.settings import Settings
from tests.benchmarks.job import read_job
from tests.benchmarks.peers.metered import run_measured


def main() -> None:
    job = read_job()
    settings = Settings(kafka=job.bootstrap, prefix=job.name, state=Path(job.state), ticks="external", metrics_port=-1)
    run_measured(bootstrap.triggers(settings), settings, job)


if __name__ == "__main__":
    main()
