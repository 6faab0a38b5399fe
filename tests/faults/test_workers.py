"""Workers killed, stopped beyond their session and ended, again and again, amid a load."""

from pathlib import Path

import pytest

from app.dev.kafka import DevKafka
from app.streams.names import Names
from tests.faults.load import provider
from tests.faults.nemesis import Fault, kill, stop, term
from tests.faults.run import Run, seed

pytestmark = [pytest.mark.kafka, pytest.mark.long]

SECONDS = 18.0


@pytest.mark.parametrize("static", [True, False], ids=["static members", "dynamic members"])
@pytest.mark.parametrize("what", ["kill -9", "stop beyond the session", "term"])
async def test_nothing_is_lost_or_sent_twice(
    kafka: DevKafka, names: Names, tmp_path: Path, what: str, *, static: bool
) -> None:
    members = "static" if static else "dynamic"
    async with Run(
        f"{what}, {members} members", kafka.bootstrap, names, tmp_path, provider(seed()), static=static
    ) as run:
        faults: dict[str, Fault] = {
            "kill -9": kill(run.workers),
            "stop beyond the session": stop(run.workers, (1, 4, 7)),
            "term": term(run.workers),
        }
        run.begin(triggers=3, senders=2)
        await run.nemesis.storm({what: faults[what]}, until=run.play(SECONDS))
        await run.finish()
