"""The whole of Whimbrel on a real broker: worker processes, a real SMTP server, and what they have written."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from app.config.check import Config
from app.contract.instants import Instant
from app.delivery.message import local_part
from app.dev.mailbox import Mailbox
from app.dev.play import play
from app.dev.publish import publish_played
from app.engine.records import COMMIT_KEY, ID_HEADER, Record, decode_commit, header
from app.simulate.run import Span
from app.streams import client, config_apply, topics
from app.streams.names import Names
from tests.compare import FIELDS
from tests.faults.cluster import APP_COMMAND, Workers

PARTITIONS = 4


class System:
    """Trigger workers and a sender by name, each with a state directory and a log of its own, in external mode."""

    def __init__(
        self, bootstrap: str, names: Names, directory: Path, smtp_port: int, partitions: int = PARTITIONS
    ) -> None:
        self.bootstrap = bootstrap
        self.names = names
        self.directory = directory
        self._partitions = partitions
        settings = {
            "WHIMBREL_KAFKA": bootstrap,
            "WHIMBREL_PREFIX": names.prefix,
            "WHIMBREL_SESSION_SECONDS": "3",
            "WHIMBREL_TICKS": "external",
            "WHIMBREL_PARTITIONS": str(partitions),
            "WHIMBREL_SMTP_PORT": str(smtp_port),
        }
        self.workers = Workers(directory, settings)

    async def prepare(self, config: Config) -> None:
        """Create the topics, and apply a configuration as it is written."""
        await topics.create(self.bootstrap, self.names, self._partitions, 1)
        await config_apply.apply(self.bootstrap, self.names.config, config, as_written=True)

    def start(self, name: str, app: str = "triggers", command: Sequence[str] = APP_COMMAND, **environment: str) -> None:
        """Start a worker; its log goes on where an earlier one of that name ended. `command`: a module, arguments."""
        self.workers.start(name, app, command, **environment)

    def kill(self, name: str) -> None:
        """End a worker as a crash would."""
        self.workers.kill(name)

    def logs(self) -> str:
        """Return the ends of all logs, for a failure's message."""
        return self.workers.logs()

    async def play(self, lines: Sequence[bytes], span: Span, step: Instant) -> None:
        """Publish a history with its ticks."""
        await publish_played(self.bootstrap, self.names, play(lines, span, step), span.begin)

    async def decided(self) -> list[dict[str, Any]]:
        """Return all decisions made so far, repeats dropped by their ids."""
        return [decision for _, decision in await self.decided_of()]

    async def decided_of(self) -> list[tuple[str, dict[str, Any]]]:
        """Return all decisions made so far, each behind the id of its account or login."""
        by_id = {header(record, ID_HEADER): record for record in await self._read(self.names.decisions)}
        return [((r.key or b"").decode(), orjson.loads(r.value or b"")) for r in by_id.values()]

    async def worked_off(self, until: Instant) -> bool:
        """Whether every partition has completed the tick of `until`, and what was decided by then is out."""
        commits = [
            (record.partition, decode_commit(record.value))
            for record in await self._read(self.names.book_journal)
            if record.key == COMMIT_KEY and record.value
        ]
        cursors = [commit.cursor for commit in dict(commits).values() if commit.cursor]
        reached = [cursor for cursor in cursors if cursor.after is None and cursor.instant >= until]
        due = sum(output.topic == self.names.decisions for _, commit in commits for output in commit.outputs)
        return len(reached) == self._partitions and len(await self.decided_of()) >= due

    async def delivered(self) -> Counter[str]:
        """Return how many deliveries of each outcome there are, repeats dropped by their ids."""
        by_id = {header(r, ID_HEADER): r.value or b"" for r in await self._read(self.names.deliveries)}
        return Counter(orjson.loads(value)["outcome"] for value in by_id.values())

    async def _read(self, topic: str) -> list[Record]:
        return await client.read(self.bootstrap, topic)


def comparable(decisions: Sequence[dict[str, Any]]) -> Counter[bytes]:
    """Return decisions without their order and the instants at which they were made."""
    return Counter(orjson.dumps([decision[name] for name in FIELDS]) for decision in decisions)


def wanted_mails(decisions: Sequence[dict[str, Any]]) -> Counter[str]:
    """Return the names that the mails' Message-IDs must bear, each once: one a dedup key of what is sent."""
    return Counter(local_part(key) for d in decisions if d["outcome"] == "sent" for key in d["dedup_keys"])


def came(mailbox: Mailbox) -> Counter[str]:
    """Return how often each name came to the mailbox."""
    found: Counter[str] = Counter()
    for message_id, count in mailbox.ids.items():
        found[message_id.strip("<>").partition("@")[0]] += count
    return found


def seeded(number: int) -> random.Random:
    """Return a source of chance that is the same at every run."""
    return random.Random(number)


@contextmanager
def ending(system: System) -> Iterator[System]:
    """Whatever happens, leave no worker behind."""
    try:
        yield system
    finally:
        system.workers.end()
