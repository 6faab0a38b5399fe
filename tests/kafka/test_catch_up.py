"""Workers that were off for ten days, on a real broker: what `simulate --pause` decides, at a pace, each mail once."""

from collections import Counter
from pathlib import Path

import pytest

from app.config.check import load_dir
from app.contract.instants import DAY, MINUTE, format_instant
from app.dev.kafka import DevKafka
from app.dev.mailbox import Mailbox
from app.dev.provider import history, span
from app.domain.rules import Rulebook
from app.engine.writing import as_line
from app.simulate.run import Pause, Span, simulate
from app.streams.names import Names
from app.triggers import REGISTRY
from tests.kafka.live import decided_at_least
from tests.kafka.system import System, came, comparable, ending, wanted_mails
from tests.kafka.waiting import eventually

pytestmark = pytest.mark.kafka

CONFIG = Path(__file__).parents[2] / "deploy" / "config"
DAYS = 28
PER_SECOND = "8"


async def test_ten_days_off_are_caught_up_with_at_a_pace_and_decided_as_simulate_decides_them(
    kafka: DevKafka, names: Names, tmp_path: Path
) -> None:
    config = load_dir(CONFIG, REGISTRY)
    lines, whole = list(history(accounts=100, seed=19, days=DAYS)), span(DAYS)
    off = Pause(whole.begin + 12 * DAY + 7 * MINUTE, whole.begin + 22 * DAY + 3 * MINUTE)
    over = Span(whole.begin, whole.until, (off,))
    decisions, _ = simulate(lines, Rulebook(config.rules, config.companies), over)
    expected = [as_line(decision) for decision in decisions]
    came_late = Counter(line["outcome"] for line in expected if line["decided_at"] == format_instant(off.end))
    assert came_late["sent"] > int(PER_SECOND)
    assert came_late["skipped"] + came_late["superseded"]
    async with Mailbox() as mailbox:
        system = System(kafka.bootstrap, names, tmp_path, mailbox.port)
        with ending(system):
            await system.prepare(config)
            system.start("one")
            system.start("sender", "sender")
            before = sum(line["decided_at"] < format_instant(off.begin) for line in expected)
            await system.play(lines, over, 10 * MINUTE)
            await eventually(lambda: decided_at_least(system, before // 2), 120)
            system.kill("one")
            for name in ("one", "two"):
                system.start(name, WHIMBREL_CATCH_UP_PER_SECOND=PER_SECOND)
            await eventually(lambda: decided_at_least(system, len(expected)), 240)
            wanted = wanted_mails(expected)
            await mailbox.wait_for(lambda box: box.total >= wanted.total(), 90)
    assert comparable(await system.decided()) == comparable(expected), system.logs()
    assert came(mailbox) == wanted, "each mail once"
