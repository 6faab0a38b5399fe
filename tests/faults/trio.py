"""Three brokers that are one cluster: every topic has three copies, and two must have a record before it counts."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from app.dev.kafka import DevKafka, cluster_id

REPLICATION = 3
PROPERTIES = {
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    "unclean.leader.election.enable": "false",
    # A copy that is behind for so long no longer counts, so faults take seconds.
    "replica.lag.time.max.ms": "3000",
}


class Trio:
    """The brokers, and the address of all of them."""

    def __init__(self) -> None:
        """Choose ports; nothing runs yet."""
        cluster = cluster_id()
        properties: list[dict[str, str]] = [{**PROPERTIES, "node.id": str(node)} for node in (1, 2, 3)]
        self.brokers = [DevKafka(properties=each, heap="384m", cluster=cluster) for each in properties]
        voters = ",".join(f"{node}@{broker.controller}" for node, broker in enumerate(self.brokers, 1))
        for each in properties:
            each["controller.quorum.voters"] = voters

    @property
    def bootstrap(self) -> str:
        """The addresses for clients."""
        return ",".join(broker.bootstrap for broker in self.brokers)

    def start(self) -> None:
        """Start all at once: one alone has no quorum, and serves nobody."""
        with ThreadPoolExecutor(len(self.brokers)) as pool:
            list(pool.map(DevKafka.start, self.brokers))


@contextmanager
def trio() -> Iterator[Trio]:
    """Run three brokers; none is left behind."""
    three = Trio()
    with ExitStack() as stack:
        for broker in three.brokers:
            stack.callback(broker.remove)
        three.start()
        yield three
