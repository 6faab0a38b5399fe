"""Worker processes that count, and the truth about what they did."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from aiokafka import TopicPartition

from app.engine.records import ID_HEADER, header
from app.streams import client
from app.streams.names import Names
from app.streams.store import RocksStore
from tests.engine.counting import Counting

MODULE = "tests.kafka.counting_worker"


class Fleet:
    """Counting workers by number, each with a state directory and a log of its own, over one set of topics."""

    def __init__(
        self, bootstrap: str, names: Names, directory: Path, command: Sequence[str] = (MODULE,), **environment: str
    ) -> None:
        self.bootstrap = bootstrap
        self.names = names
        self.directory = directory
        self._command = command
        self._environment = environment
        self.workers: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, number: int) -> subprocess.Popen[bytes]:
        """Start worker `number`; its log goes on where an earlier one ended."""
        environment = {
            **os.environ,
            "WHIMBREL_KAFKA": self.bootstrap,
            "WHIMBREL_PREFIX": self.names.prefix,
            "WHIMBREL_STATE": str(self.state(number)),
            "WHIMBREL_WORKER": f"w{number}",
            "WHIMBREL_SESSION_SECONDS": "3",
            "WHIMBREL_TICK_SECONDS": "1",
            **self._environment,
        }
        with self.log(number).open("ab") as log:
            worker = subprocess.Popen([sys.executable, "-m", *self._command], env=environment, stdout=log, stderr=log)
        self.workers[number] = worker
        return worker

    def kill(self, number: int) -> None:
        self.workers[number].kill()
        self.workers[number].wait()

    def signal(self, number: int, what: signal.Signals) -> None:
        self.workers[number].send_signal(what)

    def stop(self) -> None:
        """End all, cleanly."""
        for worker in self.workers.values():
            worker.send_signal(signal.SIGCONT)
            worker.terminate()
        for worker in self.workers.values():
            worker.wait(20)

    def log(self, number: int) -> Path:
        return self.directory / f"w{number}.log"

    def logged(self, number: int) -> str:
        return self.log(number).read_text() if self.log(number).exists() else ""

    def state(self, number: int) -> Path:
        return self.directory / f"w{number}"

    async def publish(self, facts: list[tuple[str, str]]) -> None:
        """Append facts: (topic, key)."""
        async with client.opened_producer(self.bootstrap) as producer:
            for topic, key in facts:
                await producer.send(topic, b"x", key.encode())
            await producer.flush()

    async def outputs(self) -> tuple[set[tuple[int, str]], dict[str, bytes], int]:
        """Return the facts told of, each output by its id, and how many repeats there are."""
        by_id: dict[str, bytes] = {}
        repeats = 0
        for record in await client.read(self.bootstrap, self.names.decisions):
            output_id = (header(record, ID_HEADER) or b"").decode()
            value = record.value or b""
            if output_id in by_id:
                assert by_id[output_id] == value, "one id, two outputs"
                repeats += 1
            by_id[output_id] = value
        told = [json.loads(value.rstrip(b"x")) for value in by_id.values()]
        facts = {(each["partition"], each["fact"]) for each in told}
        assert len(facts) == len(told), "a fact was counted twice, under two ids"
        return facts, by_id, repeats

    async def journal(self, partition: int) -> dict[bytes, bytes]:
        """Return the rows that the journal says, engine's own included."""
        rows: dict[bytes, bytes] = {}
        for record in await client.read(self.bootstrap, self.names.book_journal):
            if record.partition == partition:
                rows[record.key or b""] = record.value or b""
        return rows

    async def expected(self) -> dict[int, Counter[str]]:
        """Return the counts by partition that the facts call for."""
        counts: dict[int, Counter[str]] = {}
        for topic in self.names.facts:
            for record in await client.read(self.bootstrap, topic):
                counts.setdefault(record.partition, Counter())[(record.key or b"").decode()] += 1
        return counts

    def stores(self, partition: int) -> Iterator[RocksStore]:
        """Yield every worker's copy of a partition's rows, open."""
        for number in self.workers:
            path = self.state(number) / f"{self.names.prefix}counting" / str(partition)
            if path.exists():
                store = RocksStore(path, Counting().index, lambda: 0)
                yield store
                store.close()


async def end_of(bootstrap: str, topic: str, partition: int) -> int:
    """Return the partition's end offset."""
    here = TopicPartition(topic, partition)
    async with client.opened_consumer(bootstrap) as consumer:
        return int((await consumer.end_offsets([here]))[here])


@contextmanager
def running(fleet: Fleet, workers: int) -> Iterator[Fleet]:
    """Run `workers` workers; whatever happens none is left behind."""
    try:
        for number in range(workers):
            fleet.start(number)
        yield fleet
    finally:
        for worker in fleet.workers.values():
            worker.kill()
            worker.wait()
