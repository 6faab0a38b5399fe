import os
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from app.dev.kafka import DevKafka, KafkaError
from tests.kafka.waiting import wait_until

pytestmark = pytest.mark.kafka

HOLDER = """
import sys
from pathlib import Path
from app.dev.kafka import DevKafka
kafka = DevKafka(Path(sys.argv[1]))
kafka.start()
print(kafka.pid, flush=True)
{ending}
"""


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def hold(data: Path, ending: str) -> tuple[subprocess.Popen[str], int]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER.format(ending=ending), str(data)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    return holder, int(holder.stdout.readline())


def test_the_broker_ends_when_its_parent_is_killed(kafka: DevKafka, tmp_path: Path) -> None:
    holder, broker = hold(tmp_path, "sys.stdin.read()")
    assert not gone(broker)
    holder.kill()
    holder.wait()
    wait_until(lambda: gone(broker))


def test_the_broker_ends_when_its_parent_fails(kafka: DevKafka, tmp_path: Path) -> None:
    holder, broker = hold(tmp_path, "1 / 0")
    holder.wait()
    wait_until(lambda: gone(broker))


async def written(kafka: DevKafka, text: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        await producer.send_and_wait("kept", text, partition=0)


async def read(kafka: DevKafka, count: int) -> list[bytes | None]:
    consumer = AIOKafkaConsumer("kept", bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
    async with consumer:
        return [(await consumer.getone()).value for _ in range(count)]


async def test_a_broker_killed_and_one_stopped_start_again_on_their_data(kafka: DevKafka, tmp_path: Path) -> None:
    with DevKafka(tmp_path) as broker:
        address = broker.bootstrap
        admin = AIOKafkaAdminClient(bootstrap_servers=address)
        await admin.start()
        await admin.create_topics([NewTopic("kept", 1, 1)])
        await admin.close()
        await written(broker, b"before the kill")
        broker.kill()
        broker.start()
        await written(broker, b"after the kill")
        broker.restart()
        assert broker.bootstrap == address
    with DevKafka(tmp_path) as again:
        assert await read(again, 2) == [b"before the kill", b"after the kill"]


def test_a_busy_port_is_refused_by_name(kafka: DevKafka) -> None:
    port = int(kafka.bootstrap.rpartition(":")[2])
    with pytest.raises(KafkaError, match=f"port {port} is busy"), DevKafka(port=port):
        pass


def test_temporary_data_are_removed(kafka: DevKafka) -> None:
    with DevKafka() as broker:
        assert broker.log.exists()
    assert not broker.data.exists()


def test_the_command_runs_until_it_is_told_to_end_and_takes_the_broker_along(kafka: DevKafka) -> None:
    command = [sys.executable, "-c", "from app.cli.dev import dev_app; dev_app()", "kafka", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        said = running.stdout.readline()
        data = Path(said.split("data in ")[1].split(",")[0])
        assert said.startswith("Kafka at 127.0.0.1:")
        assert data.exists()
        running.terminate()
        assert running.wait(30) == 0
    assert not data.exists()
