"""Apache Kafka for development and tests: one KRaft broker as a child process, ended with its parent.

ARCHITECTURE.md, section 8: the real broker, so that what is said of delivery holds on what runs in production.
"""

import random
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from app.dev.archive import archive, keep_archive, making_archive, using_archive
from app.dev.jars import classpath
from app.dev.process import Process
from app.errors import WhimbrelError

HOST = "127.0.0.1"
READY_SECONDS = 60.0
ARCHIVE_SECONDS = 90.0
"""For the archive to be written as the JVM ends: three seconds of a processor that nobody else uses."""
LOOK_SECONDS = 0.05
ENDED_BY_SIGTERM = 143
# Below the range from which systems take the ports of outgoing connections: a broker that is down for a moment finds
# its own still free.
FREE_PORTS = range(20_000, 32_000)
_held: Final[list[socket.socket]] = []
JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    # One broker holds every copy, and few partitions are enough.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # Tests of faults wait neither for members to gather nor for the usual minimum of six seconds.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # After a kill -9 the controller lets the same broker back in only when its old session is over.
    "broker.session.timeout.ms": "1500",
    "broker.heartbeat.interval.ms": "300",
    # A laptop runs this beside everything else.
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "log.cleaner.dedupe.buffer.size": "8388608",
    "log.index.size.max.bytes": "1048576",
}


class KafkaError(WhimbrelError):
    """Kafka for development did not start."""


class DevKafka:
    """One broker with its data in `data` (None: a temporary directory, removed at the end), on 127.0.0.1:`port`.

    Without `port` it takes a free one. `properties` go over PROPERTIES; `jvm` are more options for the broker's JVM,
    by default those that use the archive of its classes, once there is one (`prepare`). A broker started again after
    stop() or kill() has the same address and data.
    """

    def __init__(
        self,
        data: Path | None = None,
        port: int | None = None,
        properties: Mapping[str, str] | None = None,
        heap: str = "512m",
        jvm: Sequence[str] | None = None,
        cluster: str | None = None,
        grace: float = 10.0,
    ) -> None:
        """Take notes only; start() starts. `cluster`: the id that the brokers of one cluster share (`cluster_id`).

        `grace`: seconds that it may take to end in good order before it is killed.
        """
        self._own_data = data is None
        self.data = Path(tempfile.mkdtemp(prefix="whimbrel-kafka-")) if data is None else data.absolute()
        self.log = self.data / "kafka.log"
        self._wanted_port = port
        self._ports = (port or free_port(), free_port())
        self._properties = {} if properties is None else properties
        self._heap = heap
        self._jvm = jvm
        self._cluster = cluster or cluster_id()
        self._grace = grace
        self._process: Process | None = None

    @property
    def bootstrap(self) -> str:
        """The address for clients, host:port."""
        return f"{HOST}:{self._ports[0]}"

    @property
    def controller(self) -> str:
        """The address for other brokers' controllers, host:port."""
        return f"{HOST}:{self._ports[1]}"

    @property
    def pid(self) -> int:
        """The broker's process id."""
        if self._process is None:
            raise KafkaError("Kafka is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Tell whether there is a broker process."""
        return self._process is not None and self._process.running

    def __enter__(self) -> Self:
        """Start it."""
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, and remove its data where they are temporary."""
        self.remove()

    def remove(self) -> None:
        """End it, and remove its data where they are temporary."""
        if self._own_data:
            self.kill()
            shutil.rmtree(self.data, ignore_errors=True)
        else:
            self.stop()

    def start(self) -> None:
        """Start the broker and return when it serves requests; raise KafkaError with the end of its log otherwise."""
        if self.running:
            return
        if self._wanted_port is not None and not is_free(self._wanted_port):
            raise KafkaError(f"port {self._wanted_port} is busy: choose another, or stop what listens there")
        jars = classpath()
        self.data.mkdir(parents=True, exist_ok=True)
        configuration = self._write_properties()
        if not (self.data / "logs" / "meta.properties").exists():
            self._format(jars, configuration)
        command = [*self._java(jars, self._jvm), "kafka.Kafka", str(configuration)]
        self._process = Process(command, log=self.log, grace=self._grace)
        try:
            self._await_ready()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End the broker in good order."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """End the broker as a crash would (kill -9)."""
        if self._process is not None:
            self._process.kill()

    def restart(self) -> None:
        """Stop and start on the same data and address."""
        self.stop()
        self.start()

    def wait(self, seconds: float | None = None) -> int | None:
        """Return the broker's exit status once it has ended, or None where it still runs after `seconds`."""
        return None if self._process is None else self._process.wait(seconds)

    def _java(self, jars: str, options: Sequence[str] | None = None) -> list[str]:
        return ["java", f"-Xmx{self._heap}", *JVM, *(using_archive() if options is None else options), "-cp", jars]

    def _write_properties(self) -> Path:
        port, controller = self._ports
        own = {
            "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
            "controller.quorum.voters": f"1@{self.controller}",
            "log.dirs": str(self.data / "logs"),
        }
        configuration = self.data / "server.properties"
        lines = (f"{name}={value}\n" for name, value in (PROPERTIES | own | dict(self._properties)).items())
        configuration.write_text("".join(lines), encoding="utf-8")
        return configuration

    def _format(self, jars: str, configuration: Path) -> None:
        tool = ["kafka.tools.StorageTool", "format", "--cluster-id", self._cluster, "--config", str(configuration)]
        done = subprocess.run(
            [*self._java(jars), *tool], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise KafkaError(f"could not format {self.data}:\n{(done.stdout + done.stderr).strip()[-2000:]}")

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not _serves(self._ports[0]):
            if self.wait(LOOK_SECONDS) is not None:
                raise KafkaError(f"Kafka ended while starting{self._log_end()}")
            if time.monotonic() > deadline:
                raise KafkaError(f"Kafka was not ready in {READY_SECONDS:.0f} s{self._log_end()}")

    def _log_end(self) -> str:
        end = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
        return f"; the end of {self.log}:\n{end}"


def cluster_id() -> str:
    """Return an id for a new cluster; one that begins with a dash would be taken for an option."""
    while True:
        made = urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        if not made.startswith("-"):
            return made


def prepared() -> bool:
    """Tell whether everything is at hand that makes a broker start fast."""
    return archive().exists()


def prepare() -> None:
    """Fetch the jars and have a broker write the archive of its classes: once, some ten seconds.

    Raises ToolMissingError, JarsMissingError.
    """
    classpath()
    if prepared():
        return
    with tempfile.TemporaryDirectory(dir=archive().parent, prefix="preparing-") as directory:
        written = Path(directory) / "classes.jsa"
        broker = DevKafka(Path(directory) / "data", jvm=making_archive(written), grace=ARCHIVE_SECONDS)
        try:
            broker.start()
            broker.stop()
        except KafkaError:
            return  # a JVM that knows no archives; where Kafka cannot start at all, the next one says so
        finally:
            broker.kill()
        if broker.wait() == ENDED_BY_SIGTERM:
            keep_archive(written)


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nothing listens, and keep it for this process's servers while it lives.

    The process holds it without listening, which those whose sockets have SO_REUSEADDR, as servers' have, may do beside
    it, and nobody who asks here.
    """
    candidates = random.SystemRandom().sample(FREE_PORTS, 100)
    for port in candidates:
        holder = socket.socket()
        try:
            holder.bind((HOST, port))
        except OSError:
            holder.close()
        else:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _held.append(holder)
            return port
    raise KafkaError(f"no free port between {FREE_PORTS.start} and {FREE_PORTS.stop}")


def is_free(port: int) -> bool:
    """Tell whether nothing listens on that port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _serves(port: int) -> bool:
    """Tell whether the broker answers a Metadata request and names itself: from then on topics can be created."""
    body = struct.pack(">hhihi", 3, 1, 1, -1, 0)  # Metadata version 1, correlation 1, no client id, no topics
    try:
        with socket.create_connection((HOST, port), timeout=2.0) as connection, connection.makefile("rb") as answers:
            connection.sendall(struct.pack(">i", len(body)) + body)
            answer = answers.read(12)  # size, correlation, number of brokers
    except OSError:
        return False
    return len(answer) == 12 and struct.unpack(">iii", answer)[2] > 0  # noqa: PLR2004
