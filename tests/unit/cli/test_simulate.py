import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from app.cli import simulate
from app.cli.main import app
from app.config.check import load_dir
from app.dev.provider import history, span
from app.domain.rules import Hours, Rulebook
from app.engine.heart import Heart
from app.engine.writing import as_line
from app.errors import WhimbrelError
from app.simulate import run
from app.simulate.lines import Lines
from app.simulate.log import by_subject
from app.triggers import REGISTRY
from tests.builders import a_payment, a_rule, a_rulebook, account_event, an_event, at, invoice_event, written

CONFIG = Path(__file__).parents[3] / "deploy" / "config"

Simulate = Callable[[], Result]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "decisions.jsonl"


@pytest.fixture
def simulated(tmp_path: Path, output: Path) -> Simulate:
    """Simulates two months of eight accounts, none of whose lines is broken."""
    events = tmp_path / "events.jsonl"
    events.write_bytes(b"".join(history(8)))
    given = ["--config", CONFIG, "--events", events, "--output", output]
    given += ["--from", "2026-06-01T00:00:00Z", "--until", "2026-08-01T00:00:00Z"]
    return lambda: CliRunner().invoke(app, ["simulate", *map(str, given)])


def test_the_last_line_says_how_much_there_was_and_how_fast_it_went(simulated: Simulate, output: Path) -> None:
    last = simulated().stderr.splitlines()[-1].split()
    decisions = len(output.read_bytes().splitlines())
    assert last[:4] == [str(len(list(history(8)))), "events,", str(decisions), "decisions"]
    assert last[-2:] == ["a", "second"]


def test_no_bar_is_drawn_where_nobody_looks(simulated: Simulate) -> None:
    assert len(simulated().stderr.splitlines()) == 1


def test_a_terminal_is_shown_events_decisions_and_how_far_it_is(
    simulated: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulate, "Console", lambda **_: Console(stderr=True, force_terminal=True, width=120))
    monkeypatch.setattr(simulate, "TOLD_EVERY", 10)
    told = simulated().stderr
    assert "100%" in told
    assert f"{len(list(history(8)))} events" in told


def test_interrupted_it_says_what_is_incomplete_and_ends_with_130(
    simulated: Simulate, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ctrl_c(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "decode", ctrl_c)
    interrupted = simulated()
    assert interrupted.exit_code == 130
    assert interrupted.stderr.splitlines()[-1] == f"interrupted after 0 events: {output} is incomplete"


def test_an_until_before_from_is_said_and_nothing_is_written(tmp_path: Path, output: Path) -> None:
    (tmp_path / "events.jsonl").touch()
    given = ["--config", CONFIG, "--events", tmp_path / "events.jsonl", "--output", output]
    given += ["--from", "2026-06-02T00:00:00Z", "--until", "2026-06-01T23:59:59Z"]
    result = CliRunner().invoke(app, ["simulate", *map(str, given)])
    assert result.exit_code == 2
    assert "--until must not lie before --from" in result.stderr
    assert not output.exists()


def test_an_output_that_cannot_be_written_is_said_before_the_work(simulated: Simulate, output: Path) -> None:
    output.symlink_to(output.parent / "missing" / "decisions.jsonl")
    failed = simulated()
    assert isinstance(failed.exception, WhimbrelError)
    assert str(failed.exception) == f"{output} cannot be written: No such file or directory"


def test_breaches_are_told_in_the_order_of_lines_whoever_s_they_are(tmp_path: Path, output: Path) -> None:
    broken = [written(account_event("2026-06-01 12:00", account=account, status={})) for account in ("a", "b", "a")]
    (tmp_path / "events.jsonl").write_bytes(b"\n".join([*broken, b"{", *broken]))
    given = ["--config", CONFIG, "--events", tmp_path / "events.jsonl", "--output", output]
    given += ["--from", "2026-06-01T00:00:00Z", "--until", "2026-08-01T00:00:00Z"]
    told = CliRunner().invoke(app, ["simulate", *map(str, given)]).stderr
    assert re.findall(r"^events.jsonl:(\d+):", told, re.MULTILINE) == [*"1234567"]


def test_lines_come_in_the_order_of_decisions_whoever_s_they_are() -> None:
    config = load_dir(CONFIG, REGISTRY)
    rulebook = Rulebook(config.rules, config.companies)
    decided = Lines()
    for _ in run.courses(by_subject(history(8)), Heart(rulebook, span().begin, decided), span(), []):
        decided.forget()
    expected, _ = run.simulate(history(8), rulebook, span())
    assert list(map(json.loads, decided.in_order())) == list(map(as_line, expected))
    assert decided.count_written == len(expected)


def test_what_is_remembered_of_an_account_is_not_forgotten_as_a_login_of_its_id_comes_to_its_end() -> None:
    """The contact's one message of the day is sent: what has waited for the window waits for the next day."""
    login = {"user_id": "a1", "name": "U", "email": "u@x.example", "language": "en", "company_id": "acme"}
    events = [
        an_event(
            "portal.user.created",
            "2026-06-09 12:00",
            user=login,
            set_password_url="",
            expires_at="2026-06-11T00:00:00Z",
        ),
        account_event("2026-06-10 05:00"),
        a_payment("2026-06-10 06:00", payment_id="p1"),
        invoice_event("2026-06-10 06:01"),
    ]
    rulebook = a_rulebook(
        a_rule("payment_failed"), a_rule("initial_invoice", hours=Hours(window=(8 * 60, 20 * 60)), cap=1)
    )
    decided, june = Lines(), run.Span(at("2026-06-01 00:00"), at("2026-07-01 00:00"))
    for _ in run.courses(by_subject(map(written, events)), Heart(rulebook, june.begin, decided), june, []):
        decided.forget()
    told = [(line["decided_at"], line["outcome"], line["reason"]) for line in map(json.loads, decided.in_order())]
    assert told == [
        ("2026-06-10T10:00:00Z", "sent", None),
        ("2026-06-10T10:01:00Z", "held", "window"),
        ("2026-06-11T12:00:00Z", "sent", None),
    ]
