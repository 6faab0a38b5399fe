"""Names everything that is missing to set up Whimbrel, all at once, with the line that installs it.

`make` runs it before there is an environment: on the standard library of whatever python3 is there, in well under a
second. No Java is started where the `release` file beside it tells its version.
"""
# ruff: noqa: INP001, S603, T201 - a script on its own, which prints, and asks the java that is found on the path

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator  # noqa: UP035 - an old Python must get as far as saying that it is too old

PYTHON = (3, 11)
JAVA = 17
PACKAGES = ("openjdk-17-jre-headless", "maven", "make", "python3", "python3-venv")
NO_ANSWER_SECONDS = 10


def python_missing() -> Iterator[tuple[str, str]]:
    """Return what this Python lacks."""
    if sys.version_info < PYTHON:
        wanted = ".".join(map(str, PYTHON))
        yield f"Python {wanted} or later (this is {sys.version.split()[0]}; or choose one: make PYTHON=...)", "python3"
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        yield "Python's venv with pip", "python3-venv"


def java_missing() -> Iterator[tuple[str, str]]:
    """Return what is missing of a Java that can run Kafka."""
    found = shutil.which("java")
    version = java_version(found) if found else None
    if version is None or version < JAVA:
        said = "none found" if not found else f"{found} is {version or 'of unknown version'}"
        yield f"Java {JAVA} or later ({said})", "openjdk-17-jre-headless"


def java_version(java: str) -> int | None:
    """Return the major version of a java, None where it does not say."""
    release = Path(java).resolve().parent.parent / "release"
    try:
        said = release.read_text(encoding="utf-8")
    except OSError:
        said = asked_version(java)
    found = re.search(r'(?:JAVA_VERSION=|version )"(?:1\.)?(\d+)', said)
    return int(found[1]) if found else None


def asked_version(java: str) -> str:
    """Return what `java -version` prints."""
    try:
        done = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=NO_ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stderr


def tools_missing() -> Iterator[tuple[str, str]]:
    """Return the programs that are not there."""
    for program, what, package in (("mvn", "Maven", "maven"), ("make", "make", "make")):
        if shutil.which(program) is None:
            yield f"{what} ({program})", package


def main() -> None:
    """Print what is missing and how to install it; exit with 1 where anything is."""
    missing = [*python_missing(), *java_missing(), *tools_missing()]
    if not missing:
        return
    print("Whimbrel needs, and this machine lacks:", file=sys.stderr)
    for what, _ in missing:
        print(f"  - {what}", file=sys.stderr)
    wanted = {package for _, package in missing}
    packages = " ".join(package for package in PACKAGES if package in wanted)
    print(f"On Debian or Ubuntu: apt install {packages}", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
