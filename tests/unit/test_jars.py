from pathlib import Path

import pytest

from app.dev import jars
from app.dev.jars import POM, VERSION, JarsMissingError, ToolMissingError, classpath


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on its path and nothing in its cache; what is put into `bin` is on the path."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def a_program(machine: Path, name: str, script: str = "exit 0") -> None:
    program = machine / "bin" / name
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)


def test_java_and_maven_are_asked_for_at_once_with_their_packages(machine: Path) -> None:
    with pytest.raises(ToolMissingError, match=r"java, mvn\. Install with: apt install openjdk-17-jre-headless maven$"):
        classpath()


def test_maven_is_not_needed_where_the_jars_are_cached(machine: Path) -> None:
    cached = machine / "cache" / "whimbrel" / f"kafka-{VERSION}"
    cached.mkdir(parents=True)
    a_program(machine, "java")
    assert classpath() == f"{cached}/*"


def test_jars_are_fetched_whole_or_not_at_all(machine: Path) -> None:
    a_program(machine, "java")
    a_program(machine, "mvn", "echo no route to the repository; exit 1")
    with pytest.raises(JarsMissingError, match="no route to the repository"):
        classpath()
    assert list((machine / "cache" / "whimbrel").iterdir()) == []
    a_program(machine, "mvn", 'for each; do case $each in -DoutputDirectory=*) /bin/mkdir "${each#*=}";; esac; done')
    assert Path(classpath()).parent.is_dir()


def test_jars_need_the_repositorys_pom(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_program(machine, "java")
    a_program(machine, "mvn")
    monkeypatch.setattr(jars, "POM", machine / "pom.xml")
    with pytest.raises(JarsMissingError, match="from a checkout"):
        classpath()


def test_the_version_is_the_poms() -> None:
    assert f"<kafka.version>{VERSION}</kafka.version>" in POM.read_text(encoding="utf-8")
