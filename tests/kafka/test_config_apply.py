from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.config import config_app
from app.config.check import Config
from app.config.record import read_record
from app.contract.instants import SECOND, parse_instant
from app.dev.kafka import DevKafka
from app.domain.rules import Rule
from app.streams import config_apply, topics
from app.streams.client import append, newest
from app.streams.config_apply import ApplyError
from app.streams.names import Names
from tests.unit.config.directories import COMPANIES

pytestmark = pytest.mark.kafka

PAST_DUE = "- {{id: past-due, trigger: invoice_past_due_for_days, x: {x}}}\n"
FAILED = "- {id: failed, trigger: payment_failed, enabled_at: 2026-01-01T00:00:00Z, version: 4}\n"


@pytest.fixture
async def topic(kafka: DevKafka, names: Names, monkeypatch: pytest.MonkeyPatch) -> str:
    await topics.create(kafka.bootstrap, names, 1)
    monkeypatch.setenv("WHIMBREL_KAFKA", kafka.bootstrap)
    monkeypatch.setenv("WHIMBREL_PREFIX", names.prefix)
    return names.config


def apply(directory: Path, rules: str, *options: str) -> list[str]:
    (directory / "rules.yaml").write_text(rules)
    (directory / "companies.yaml").write_text(COMPANIES)
    result = CliRunner().invoke(config_app, ["apply", str(directory), *options], catch_exceptions=False)
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


async def test_an_apply_in_between_is_noticed(kafka: DevKafka, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Config((Rule(id="failed", trigger="payment_failed"),), {})
    await config_apply.apply(kafka.bootstrap, topic, one, as_written=True)

    async def append_twice(bootstrap: str, name: str, key: bytes | None, value: bytes) -> int:
        await append(bootstrap, name, key, b'{"format":1,"rules":[],"companies":[]}')
        return await append(bootstrap, name, key, value)

    monkeypatch.setattr(config_apply, "append", append_twice)
    with pytest.raises(ApplyError, match="run yours again"):
        await config_apply.apply(kafka.bootstrap, topic, Config((), {}), as_written=True)
