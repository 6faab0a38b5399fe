"""The Kafka Streams peer: its jars fetched by Maven into the user's cache, its one class compiled there."""

import shutil
import subprocess
from pathlib import Path

from app.settings import cache_home
from tests.benchmarks.job import Job, written
from tests.benchmarks.workload import EMIT_EVERY

SOURCES = Path(__file__).with_name("kstreams")
NEEDED = {"mvn": "maven", "javac": "openjdk-17-jdk-headless"}
QUIET = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"


def missing() -> str | None:
    """Say what is not installed, None where all is there."""
    packages = [package for program, package in NEEDED.items() if shutil.which(program) is None]
    return f"apt install {' '.join(packages)}" if packages else None


def build() -> str:
    """Compile the peer; return its class path."""
    home = cache_home() / "whimbrel" / "bench-kstreams"
    jars, classes = home / "jars", home / "classes"
    if not jars.exists():
        pom, fetched = SOURCES / "pom.xml", home / "fetching"
        _run("mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={fetched}")
        fetched.rename(jars)
    _run("javac", "-cp", f"{jars}/*", "-d", str(classes), str(SOURCES / "Bench.java"))
    return f"{jars}/*:{classes}"


def command(job: Job, class_path: str) -> list[str]:
    """Return the command of one run."""
    return ["java", QUIET, "-cp", class_path, "Bench", written(job), str(EMIT_EVERY)]


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{command[0]} failed:\n{(done.stdout + done.stderr).strip()[-2000:]}")
