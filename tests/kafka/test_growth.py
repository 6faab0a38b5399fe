"""More partitions, on a real broker: nothing is lost, nothing is repeated, wherever it is broken off."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from app.config.check import Config, load_dir
from app.dev.kafka import DevKafka
from app.dev.mailbox import Mailbox
from app.growth.growing import GrowthError
from app.streams.journal import JournalWriter
from app.streams.names import Names
from app.triggers import REGISTRY
from tests.kafka.growth import Killed, drop_letters, grow, refused
from tests.kafka.house import House
from tests.kafka.system import System, came, comparable, ending, wanted_mails
from tests.kafka.waiting import eventually

pytestmark = pytest.mark.kafka

MORE = 6
"""No multiple of four: most accounts move."""


@pytest.fixture
def config() -> Config:
    return load_dir(Path(__file__).parents[2] / "deploy" / "config", REGISTRY)


async def test_half_a_history_on_four_partitions_the_other_half_on_six(
    kafka: DevKafka, names: Names, tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Mailbox() as mailbox:
        system = System(kafka.bootstrap, names, tmp_path, mailbox.port)
        house = House(system, config)
        with ending(system):
            await system.prepare(config)
            await house.publish(house.played[: house.half])
            with pytest.raises(GrowthError, match="no worker has had this partition"):
                await grow(system, MORE, "external")
            for name, app in (("one", "triggers"), ("two", "triggers"), ("sender", "sender")):
                system.start(name, app)
            await eventually(house.worked_off, 120)
            sent = wanted_mails(await system.decided()).total()
            await mailbox.wait_for(lambda box: box.total >= sent, 90)
            for name in ("one", "two", "sender"):
                await system.workers.leave(name)
            await drop_letters(system)
            await broken_off_again_and_again(house, monkeypatch)
            grown = await grow(system, MORE, "external")
            assert grown is not None
            assert await grow(system, MORE, "external") is None, "nothing is left to do"
            for name, app in (("one", "triggers"), ("three", "triggers"), ("sender", "sender")):
                system.start(name, app, WHIMBREL_PARTITIONS=str(MORE))
            await house.publish(house.played[house.half :])
            expected = house.expected()
            await house.decided(expected)
            wanted = wanted_mails(expected)
            await mailbox.wait_for(lambda box: box.total >= wanted.total(), 90)
            decided = await system.decided()
    assert comparable(decided) == comparable(expected), system.logs()
    assert came(mailbox) == wanted, "each mail once"


async def broken_off_again_and_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run gets a little further; meanwhile workers refuse to start."""
    write = JournalWriter.append
    for last in (9, 22, 12):
        count = 0

        async def dying(self: JournalWriter, changes: Mapping[bytes, bytes | None], commit: bytes) -> int:
            nonlocal count
            count += 1
            if count > last:  # noqa: B023 - called within this turn alone
                raise Killed
            return await write(self, changes, commit)

        with monkeypatch.context() as patched:
            patched.setattr(JournalWriter, "append", dying)
            with pytest.raises(Killed):
                await grow(house.system, MORE, "external")
        if last == 22:
            house.system.start("early")
            await eventually(lambda: refused(house.system), 60)


async def test_what_is_not_worked_off_is_named_and_nobody_is_shut_out(
    kafka: DevKafka, names: Names, tmp_path: Path, config: Config
) -> None:
    async with Mailbox() as mailbox:
        system = System(kafka.bootstrap, names, tmp_path, mailbox.port)
        house = House(system, config)
        with ending(system):
            await system.prepare(config)
            for name, app in (("one", "triggers"), ("sender", "sender")):
                system.start(name, app)
            await house.publish(house.played[: house.half])
            await eventually(house.worked_off, 120)
            await system.workers.leave("one")
            await drop_letters(system)
            await house.publish(house.played[house.half : house.half + 200])
            with pytest.raises(GrowthError, match=r"billing.events\[[0-3]\]: [1-9][0-9,]* records are not processed"):
                await grow(system, MORE, "external")
            system.start("one")
            await house.publish(house.played[house.half + 200 :])
            await eventually(house.worked_off, 120)
