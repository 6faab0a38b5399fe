"""What needs Docker is held to its own schemas and linters, and starts what the tests run natively."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from app.cli.main import app
from app.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
COMPOSITION = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
TOOLS = Path(sys.executable).parent


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = YAML(typ="safe").load(COMPOSITION)["services"]
    return found


def ours() -> dict[str, dict[str, Any]]:
    return {name: service for name, service in services().items() if service["image"] == "whimbrel"}


def checked(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_composition_is_one() -> None:
    checked(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSITION)


def test_the_image_is_built_by_the_book() -> None:
    checked(TOOLS / "hadolint", DOCKERFILE)


@pytest.mark.parametrize("name", ours())
def test_every_service_runs_a_command_that_there_is(name: str) -> None:
    command = [part for part in ours()[name]["command"] if not part.startswith("/")]
    words = [part for part in command if not part.startswith("-") and not part[0].isdigit()]
    shown = CliRunner().invoke(app, [*words, "--help"])
    assert shown.exit_code == 0, shown.output
    assert all(option in shown.output for option in command if option.startswith("--"))


@pytest.mark.parametrize("name", ours())
def test_every_service_sets_what_is_a_setting(name: str) -> None:
    variables = {variable for variable in ours()[name].get("environment", {}) if variable.startswith(PREFIX)}
    assert variables <= {PREFIX + field.upper() for field in Settings.__dataclass_fields__}


def test_two_trigger_workers_and_a_sender_run_behind_topics_and_configuration() -> None:
    workers = [" ".join(service["command"]) for service in ours().values() if service["command"][0] == "worker"]
    assert sorted(workers) == ["worker sender", "worker triggers", "worker triggers"]
    assert "service_completed_successfully" in str(services()["triggers-1"]["depends_on"])


def test_the_ignored_build_context_still_holds_what_the_image_copies() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        word
        for line in DOCKERFILE.read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }
    assert copied <= kept
