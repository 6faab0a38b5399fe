"""The processes of the demo: the commands and settings that a real installation has, too."""

from dataclasses import dataclass
from typing import Final

from app.dev.demo.crew import Role, whimbrel
from app.dev.demo.plan import PARTITIONS, Plan
from app.dev.kafka import HOST, free_port, is_free

KAFKA_PORT: Final = 9092
SMTP_PORT: Final = 2525
PAGE_PORT: Final = 8025
VICTIM: Final = "trigger worker 2"
WORKERS: Final = ("trigger worker 1", VICTIM)
SENDER: Final = "sender"
MAILBOX: Final = "mailbox"


@dataclass(frozen=True)
class Ports:
    """Where the demo listens on 127.0.0.1, and what had to give way; `busy` as lines for people."""

    kafka: int
    smtp: int
    page: int
    busy: tuple[str, ...]

    @property
    def bootstrap(self) -> str:
        """Kafka's address."""
        return f"{HOST}:{self.kafka}"

    @property
    def page_url(self) -> str:
        """The address of the mailbox's page."""
        return f"http://{HOST}:{self.page}/"


def choose_ports() -> Ports:
    """Take the usual ports where they are free, others where not."""
    taken, busy = [], []
    for name, wanted in (("Kafka", KAFKA_PORT), ("the mailbox's SMTP", SMTP_PORT), ("the mailbox's page", PAGE_PORT)):
        port = wanted if is_free(wanted) else free_port()
        if port != wanted:
            busy.append(f"port {wanted} is busy: {name} takes {port}")
        taken.append(port)
    return Ports(taken[0], taken[1], taken[2], tuple(busy))


def mailbox(plan: Plan, ports: Ports) -> Role:
    """Return the mailbox."""
    command = (whimbrel(), "dev", "mailbox", "--smtp-port", str(ports.smtp), "--http-port", str(ports.page))
    return Role(MAILBOX, command, {}, plan.log(MAILBOX))


def trigger_worker(name: str, plan: Plan, ports: Ports) -> Role:
    """Return one of WORKERS; the history's time is its time."""
    settings = _worker(name, plan, ports) | {"ticks": "external"}
    return Role(name, (whimbrel(), "worker", "triggers"), settings, plan.log(name))


def sender(plan: Plan, ports: Ports) -> Role:
    """Return the sender, which hands over to the mailbox."""
    settings = _worker(SENDER, plan, ports) | {"smtp_host": HOST, "smtp_port": ports.smtp}
    return Role(SENDER, (whimbrel(), "worker", "sender"), settings, plan.log(SENDER))


def _worker(name: str, plan: Plan, ports: Ports) -> dict[str, object]:
    return {
        "kafka": ports.bootstrap,
        "partitions": PARTITIONS,
        "state": plan.state(name),
        "worker": f"demo-{name.replace(' ', '-')}",
    }
