"""A worker process whose handler counts: started by the tests as `python -m tests.kafka.counting_worker`."""

from app import logs
from app.settings import load
from app.streams.names import Names
from app.streams.opening import Wiring
from app.streams.worker import run_worker
from tests.engine.counting import Counting


class CountingOnKafka(Counting):
    """Counts, with outputs to topics that exist."""

    def __init__(self, names: Names) -> None:
        super().__init__()
        self.out = names.decisions
        self.ticks_out = names.deliveries
        self.dead = names.dead_letters


def main() -> None:
    settings = load()
    logs.setup("text", "info")
    names = Names(settings.prefix)
    run_worker(
        Wiring(
            app=f"{settings.prefix}counting",
            handler=lambda _: CountingOnKafka(names),
            inputs=names.facts,
            journal=names.book_journal,
            ticks=names.ticks,
            external=settings.ticks == "external",
        ),
        settings,
    )


if __name__ == "__main__":
    main()
