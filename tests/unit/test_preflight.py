import subprocess
import sys
from pathlib import Path

import pytest

PREFLIGHT = Path(__file__).parents[2] / "deploy" / "preflight.py"


def run(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PREFLIGHT)], env={"PATH": str(path)}, capture_output=True, text=True, check=False
    )


def a_program(directory: Path, name: str, script: str = "exit 0") -> None:
    directory.mkdir(parents=True, exist_ok=True)
    program = directory / name
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)


@pytest.fixture
def complete(tmp_path: Path) -> Path:
    directory = tmp_path / "bin"
    for program in ("mvn", "make"):
        a_program(directory, program)
    a_program(directory, "java", "echo 'a java with a release file is not started' >&2; exit 1")
    (tmp_path / "release").write_text('IMPLEMENTOR="Debian"\nJAVA_VERSION="17.0.15"\n', encoding="utf-8")
    return directory


def test_everything_missing_is_said_at_once_with_the_line_that_installs_it(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 1
    assert "Java 17 or later (none found)" in done.stderr
    assert "Maven (mvn)" in done.stderr
    assert "apt install openjdk-17-jre-headless maven make\n" in done.stderr


def test_nothing_is_said_where_nothing_is_missing(complete: Path) -> None:
    done = run(complete)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(("version", "said"), [("11.0.2", "is 11"), ("1.8.0_392", "is 8")])
def test_an_older_java_is_refused_with_its_version(complete: Path, version: str, said: str) -> None:
    (complete.parent / "release").write_text(f'JAVA_VERSION="{version}"\n', encoding="utf-8")
    done = run(complete)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.endswith("apt install openjdk-17-jre-headless\n")


def test_a_java_without_a_release_file_is_asked(complete: Path) -> None:
    (complete.parent / "release").unlink()
    a_program(complete, "java", """echo 'openjdk version "21.0.1" 2023-10-17' >&2""")
    assert run(complete).returncode == 0
