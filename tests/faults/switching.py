"""A repair of a worker's switched off, or a fault put into its reading: what no signal from outside can bring about.

WHIMBREL_TEST_CHANGES names them, separated by commas. WHIMBREL_TEST_CLOCK_OFF is by how many seconds its clock is fast.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import aiokafka
from faust.assignor.partition_assignor import PartitionAssignor
from mode import threads

from app import clock
from app.contract.instants import SECOND
from app.engine.inputs import Fetch, Queue
from app.streams import consumer
from app.streams.lanes import Lanes

CHANGES: Final = "WHIMBREL_TEST_CHANGES"
CLOCK_OFF: Final = "WHIMBREL_TEST_CLOCK_OFF"
EVERY: Final = 3
SLOWLY_SECONDS: Final = 0.2


def read_uncommitted() -> None:
    """Read what a transaction has written and not committed."""
    committed = aiokafka.AIOKafkaConsumer

    def reader(**settings: Any) -> aiokafka.AIOKafkaConsumer:
        return committed(**(settings | {"isolation_level": "read_uncommitted"}))

    aiokafka.AIOKafkaConsumer = reader


def trust_fetches() -> None:
    """Take every fetch for the one that comes next."""
    feed = Queue.feed
    Queue.feed = lambda self, fetch: feed(self, fetch._replace(start=self.read))  # type: ignore[method-assign]


def drop_fetches() -> None:
    """Lose one fetch in three between the consumer and the lane, as stock Faust does around rebalances."""
    feed, times = Lanes.feed, [0]

    def dropping(self: Lanes, partition: int, fetch: Fetch) -> None:
        times[0] += bool(fetch.records)
        if not fetch.records or times[0] % EVERY:
            feed(self, partition, fetch)

    Lanes.feed = dropping  # type: ignore[method-assign]


def assign_blindly() -> None:
    """Assign once without knowing of any topic, as where a broker that has only just come does not answer in time."""
    assign, times = PartitionAssignor.assign, [0]

    def blind(self: PartitionAssignor, cluster: Any, members: Any) -> Any:
        times[0] += 1
        if times[0] == 1:
            cluster._partitions = {}
        return assign(self, cluster, members)

    PartitionAssignor.assign = blind


def look_seldom() -> None:
    """Look at the metadata as seldom as aiokafka does if it is not told otherwise."""
    consumer.METADATA_MS = 300_000  # type: ignore[misc]


def start_slowly() -> None:
    """Take long to make a queue of calls into a thread, as where a machine has much to do."""
    init = threads.MethodQueue.__init__

    def slowly(self: threads.MethodQueue, *args: Any, **options: Any) -> None:
        time.sleep(SLOWLY_SECONDS)
        init(self, *args, **options)

    threads.MethodQueue.__init__ = slowly


def make_the_queue_when_asked() -> None:
    """Have it made by whoever asks for it first."""
    del consumer.LaneThread.__init__


def be_fast(seconds: int) -> None:
    """Have a clock that is wrong."""
    right = clock.now
    clock.now = lambda: right() + seconds * SECOND


NAMED: Final[Mapping[str, Callable[[], None]]] = {
    change.__name__: change
    for change in (
        read_uncommitted,
        trust_fetches,
        drop_fetches,
        assign_blindly,
        look_seldom,
        start_slowly,
        make_the_queue_when_asked,
    )
}


def change(environment: Mapping[str, str]) -> None:
    """Make the changes that the environment names; raise KeyError where there is none of that name."""
    for name in filter(None, environment.get(CHANGES, "").split(",")):
        NAMED[name]()
    if environment.get(CLOCK_OFF):
        be_fast(int(environment[CLOCK_OFF]))
