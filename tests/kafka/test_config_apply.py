import asyncio
import gc
from functools import partial
from pathlib import Path
from threading import Thread

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from app.cli.main import app
from app.config.check import Config
from app.config.record import Recorded, read_record
from app.contract.instants import SECOND, parse_instant
from app.dev.kafka import DevKafka
from app.domain.rules import Rule
from app.domain.switches import Guard, Kill, Switches, Trip, TripId
from app.errors import WhimbrelError
from app.streams import config_apply, topics
from app.streams.client import newest
from app.streams.config_apply import ApplyError, Switched
from app.streams.names import Names
from tests.unit.config.directories import COMPANIES

pytestmark = pytest.mark.kafka

PAST_DUE = "- {{id: past-due, trigger: invoice_past_due_for_days, x: {x}}}\n"
FAILED = "- {id: failed, trigger: payment_failed, enabled_at: 2026-01-01T00:00:00Z, version: 4}\n"
FAILED_RULE = Rule(id="failed", trigger="payment_failed")
TRIP = Trip(TripId("failed", 2, parse_instant("2026-06-10T13:00:00Z")), recipients=1_200, limit=1_000)
OTHER_TRIP = Trip(TripId("other", 0, TRIP.id.instant), recipients=9, limit=1)


@pytest.fixture
async def topic(kafka: DevKafka, names: Names, monkeypatch: pytest.MonkeyPatch) -> str:
    await topics.create(kafka.bootstrap, names, 1)
    monkeypatch.setenv("WHIMBREL_KAFKA", kafka.bootstrap)
    monkeypatch.setenv("WHIMBREL_PREFIX", names.prefix)
    return names.config


def apply(directory: Path, rules: str, *options: str) -> list[str]:
    (directory / "rules.yaml").write_text(rules)
    (directory / "companies.yaml").write_text(COMPANIES)
    result = CliRunner().invoke(app, ["config", "apply", str(directory), *options], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output.splitlines()


def test_applies_are_stamped_by_the_broker_and_say_what_changed(kafka: DevKafka, topic: str, tmp_path: Path) -> None:
    said = apply(tmp_path, PAST_DUE.format(x=7) + FAILED)
    assert [line.split(",")[0] for line in said[:3]] == [
        "failed: version 1",
        "past-due: version 1",
        "company acme: new",
    ]
    assert said[3].startswith("note: an apply stamps enabled_at and version")
    assert said[4].startswith(f"applied as offset 0 of {topic}, in force from ")
    assert apply(tmp_path, PAST_DUE.format(x=7) + FAILED) == ["nothing changed"]
    changed = apply(tmp_path, PAST_DUE.format(x=5) + FAILED)
    assert changed[0].startswith("past-due: version 2, from ")
    assert changed[0].endswith(": x 7 -> 5")
    assert parse_instant(changed[0].split(" ")[4].rstrip(":")) > parse_instant(said[4].split(" ")[-1])


async def test_what_was_applied_is_in_force_30_seconds_after_the_broker_took_it(
    kafka: DevKafka, topic: str, tmp_path: Path
) -> None:
    wanted = Config((Rule(id="failed", trigger="payment_failed"),), {})
    applied = await config_apply.apply(kafka.bootstrap, topic, wanted, as_written=False)
    record = await newest(kafka.bootstrap, topic)
    assert applied is not None
    assert record is not None
    assert record.value is not None
    at = record.timestamp * 1_000
    book = read_record(record.value, at, record.offset)
    assert applied.effective == at + 30 * SECOND
    assert book.in_force("failed", applied.effective - 1) is None
    assert book.in_force("failed", applied.effective) is not None


def test_as_written_nothing_is_stamped(kafka: DevKafka, topic: str, tmp_path: Path) -> None:
    said = apply(tmp_path, PAST_DUE.format(x=7) + FAILED, "--as-written")
    assert said[:2] == ["failed: version 4, from 2026-01-01T00:00:00Z: new", "past-due: version 1, since ever: new"]
    assert apply(tmp_path, PAST_DUE.format(x=7) + FAILED, "--as-written") == ["nothing changed"]


async def test_changes_at_the_same_time_all_count_and_leave_no_complaint(
    kafka: DevKafka, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    await config_apply.apply(kafka.bootstrap, topic, Config((FAILED_RULE,), {}), as_written=True)
    trips = [Trip(TripId("failed", partition, 5), recipients=9, limit=1) for partition in range(3)]
    wanted = Config((FAILED_RULE, Rule(id="more", trigger="payment_failed")), {})
    await asyncio.gather(
        config_apply.apply(kafka.bootstrap, topic, wanted, as_written=True),
        *(config_apply.switch(kafka.bootstrap, topic, partial(tripped, trip)) for trip in trips),
    )
    found = await config_apply.current(kafka.bootstrap, topic)
    assert found.switches.guard.open == tuple(trips)
    assert {rule.id for rule in found.config.rules} >= {"failed", "more"}
    gc.collect()  # asyncio complains of a failure that nobody heard when it is collected
    assert [record.message for record in caplog.records if record.name == "asyncio"] == []


async def test_who_looked_before_another_wrote_is_refused_and_looks_again(kafka: DevKafka, topic: str) -> None:
    await config_apply.apply(kafka.bootstrap, topic, Config((FAILED_RULE,), {}), as_written=True)
    seen: list[Switches] = []

    def kill_all(found: Recorded) -> Switches:
        seen.append(found.switches)
        if len(seen) == 1:
            other = config_apply.switch(kafka.bootstrap, topic, partial(tripped, TRIP))
            thread = Thread(target=asyncio.run, args=(other,))
            thread.start()
            thread.join()
        return replace(found.switches, kill=Kill(all=True))

    switched = await config_apply.switch(kafka.bootstrap, topic, kill_all)
    assert seen == [Switches(), Switches(guard=Guard(open=(TRIP,)))]
    assert switched == Switched(seen[1], Switches(Kill(all=True), Guard(open=(TRIP,))))


async def test_a_record_that_is_too_large_is_refused(
    kafka: DevKafka, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_apply, "REQUEST_BYTES", 1_000)
    rule = Rule(id="x" * 2_000, trigger="payment_failed")
    with pytest.raises(ApplyError, match="Kafka refused the change"):
        await config_apply.apply(kafka.bootstrap, topic, Config((rule,), {}), as_written=True)


def command(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words))
    return result.exit_code, str(result.exception) if isinstance(result.exception, WhimbrelError) else result.output


def test_kill_holds_all_companies_or_one_and_says_what_is_held(kafka: DevKafka, topic: str, tmp_path: Path) -> None:
    assert command("kill", "on") == (
        1,
        "no configuration has been applied yet, so nothing is sent: whimbrel config apply DIR",
    )
    apply(tmp_path, PAST_DUE.format(x=7))
    assert command("kill", "list") == (0, "no kill switch is on\n")
    assert command("kill", "on", "--company", "acme") == (0, "held but for criticals: acme\n")
    assert command("kill", "on") == (0, "held but for criticals: all companies, acme\n")
    assert command("kill", "on") == (0, "nothing changed; held but for criticals: all companies, acme\n")
    assert command("kill", "off") == (0, "held but for criticals: acme\n")
    assert command("kill", "list") == (0, "held but for criticals: acme\n")
    assert command("kill", "off", "--company", "acme") == (0, "no kill switch is on\n")
    assert command("kill", "on", "--company", "acne") == (1, "no company acne; there are acme; did you mean acme?")


async def test_guard_lists_what_tripped_and_releases_a_rule(kafka: DevKafka, topic: str) -> None:
    await config_apply.apply(kafka.bootstrap, topic, Config((FAILED_RULE,), {}), as_written=True)
    assert await asyncio.to_thread(command, "guard", "list") == (0, "the guard holds nothing\n")
    for trip in (TRIP, OTHER_TRIP):
        await config_apply.switch(kafka.bootstrap, topic, partial(tripped, trip))
    first = "failed: partition 2 at 2026-06-10T13:00:00Z, 1200 recipients within the hour, 1000 allowed\n"
    other = "other: partition 0 at 2026-06-10T13:00:00Z, 9 recipients within the hour, 1 allowed\n"
    assert await asyncio.to_thread(command, "guard", "list") == (0, first + other)
    assert await asyncio.to_thread(command, "guard", "release", "failed") == (0, "released: " + first)
    assert await asyncio.to_thread(command, "guard", "release", "failed") == (
        1,
        "the guard does not hold failed; it holds other",
    )
    found = await config_apply.current(kafka.bootstrap, topic)
    assert found.switches.guard == Guard(open=(OTHER_TRIP,), released=(TRIP.id,))


def tripped(trip: Trip, found: Recorded) -> Switches:
    return replace(found.switches, guard=found.switches.guard.tripped(trip))
