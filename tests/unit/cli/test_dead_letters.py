"""What `whimbrel dead-letters` prints."""

from collections.abc import AsyncGenerator, Sequence

import pytest
from typer.testing import CliRunner, Result

from app.cli.dead_letters import dead_letters_app
from app.engine.dead_letters import DeadLetter
from app.errors import WhimbrelError
from app.streams import dead_letters
from app.streams.client import KafkaAwayError
from app.streams.dead_letters import Letter, LetterError


def a_letter(offset: int) -> Letter:
    told = DeadLetter(
        topic="billing.events", partition=3, offset=offset, field="", reason="is no JSON", at="2026-06-10T13:00:00Z"
    )
    return Letter(told, told, b"a1")


def replayed(monkeypatch: pytest.MonkeyPatch, *ends: WhimbrelError | None) -> Result:
    """Replay letters that end so, one each; KafkaAwayError ends them all."""
    known = {letter.name: letter for letter in map(a_letter, range(len(ends)))}

    async def letters(*_: object) -> dict[str, Letter]:
        return known

    async def replay(
        _bootstrap: str, _names: object, wanted: Sequence[Letter], *_: object
    ) -> AsyncGenerator[tuple[Letter, LetterError | None]]:
        for letter, end in zip(wanted, ends, strict=True):
            if isinstance(end, KafkaAwayError):
                raise end
            assert end is None or isinstance(end, LetterError)
            yield letter, end

    monkeypatch.setattr(dead_letters, "letters", letters)
    monkeypatch.setattr(dead_letters, "replay", replay)
    return CliRunner().invoke(dead_letters_app, ["replay", "--all"])


def test_each_letter_is_told_as_it_ends_and_one_that_fails_makes_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    said = replayed(monkeypatch, None, LetterError("it is too large"), None)
    assert said.exit_code == 1
    assert [line.split()[2] for line in said.stdout.splitlines()] == ["billing.events/3/0", "billing.events/3/2"]
    first, last = said.stderr.splitlines()
    assert first == "error: it is too large: 2026-06-10T13:00:00Z  billing.events/3/1  a1  is no JSON"
    assert last == "what cannot be replayed any more is closed with: whimbrel dead-letters drop"


def test_where_kafka_goes_away_what_was_done_by_then_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    said = replayed(monkeypatch, None, LetterError("it is too large"), KafkaAwayError("no Kafka"), None)
    assert isinstance(said.exception, KafkaAwayError)
    assert said.stdout.count("replayed: ") == 1
    assert said.stderr.count("error: it is too large: ") == 1


def test_where_all_are_replayed_the_status_is_0(monkeypatch: pytest.MonkeyPatch) -> None:
    said = replayed(monkeypatch, None, None)
    assert (said.exit_code, said.stderr) == (0, "")
