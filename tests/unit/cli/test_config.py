from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.config import config_app
from app.config.mistakes import ConfigError
from app.errors import WhimbrelError
from tests.unit.config.directories import a_directory


def test_check_counts_what_is_right(tmp_path: Path) -> None:
    result = CliRunner().invoke(config_app, ["check", str(a_directory(tmp_path))])
    assert result.exit_code == 0
    assert result.output == "no mistakes: 1 rule, 1 company\n"


def test_check_refuses_with_every_mistake_templates_included(tmp_path: Path) -> None:
    directory = a_directory(tmp_path, "- {id: a, trigger: payment_failed,\n   template: none-such,\n   x: 1}\n")
    result = CliRunner().invoke(config_app, ["check", str(directory)])
    assert result.exit_code == 1
    assert isinstance(result.exception, ConfigError)
    assert [(mistake.line, mistake.field) for mistake in result.exception.mistakes] == [(2, "template"), (3, "x")]


def test_apply_refuses_an_enabled_at_that_lies_ahead_since_it_would_be_stamped_over(tmp_path: Path) -> None:
    directory = a_directory(tmp_path, "- {id: a, trigger: payment_failed, enabled_at: 9998-01-01T00:00:00Z}\n")
    result = CliRunner().invoke(config_app, ["apply", str(directory)])
    assert isinstance(result.exception, WhimbrelError)
    assert str(result.exception).startswith("enabled_at lies ahead for a, ")


@pytest.mark.parametrize("command", ["check", "apply"])
def test_a_directory_that_is_not_there_is_a_wrong_argument(tmp_path: Path, command: str) -> None:
    assert CliRunner().invoke(config_app, [command, str(tmp_path / "none")]).exit_code == 2
