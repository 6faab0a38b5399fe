import subprocess
import sys

import pytest
from typer.testing import CliRunner

from app.cli import dev
from app.cli.main import COMMANDS, app

EVERY = [[name] for name in COMMANDS] + [["dev", name] for name in dev.COMMANDS]


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_every_command_is_where_it_is_said_to_be(words: list[str]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"])
    assert shown.exit_code == 0, shown.output
    assert f"Usage: whimbrel {' '.join(words)} " in shown.output
    assert "--install-completion" not in shown.output


@pytest.mark.parametrize("words", [[], ["dev"]])
def test_help_lists_every_command(words: list[str]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"]).output
    assert all(f" {name} " in shown for name in (dev.COMMANDS if words else COMMANDS))


def test_a_command_that_does_not_exist_is_refused() -> None:
    assert CliRunner().invoke(app, ["nosuch"]).exit_code == 2


def test_a_command_does_not_import_what_only_others_need() -> None:
    ask = "app(['simulate', '--help'], standalone_mode=False)"
    code = f"import sys; from app.cli.main import app; {ask}; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "app.simulate.run" in modules
    assert not {"faust", "aiokafka", "aiohttp", "jinja2"} & set(modules)
