"""Apache Kafka's jars, fetched once by Maven into the user's cache."""

import shutil
import tempfile
from pathlib import Path

from app.dev.process import Process
from app.errors import WhimbrelError
from app.settings import cache_home

VERSION = "4.3.1"
POM = Path(__file__).parents[2] / "deploy" / "kafka" / "pom.xml"
PACKAGES = {"java": "openjdk-17-jre-headless", "mvn": "maven"}


class ToolMissingError(WhimbrelError):
    """A program that Kafka for development needs is not installed."""


class JarsMissingError(WhimbrelError):
    """Maven could not fetch Kafka's jars."""


def classpath() -> str:
    """Return the classpath of a broker, fetching the jars (54 MB) on first use.

    Raises ToolMissingError where Java, or Maven and the jars, are missing; JarsMissingError where Maven fails.
    """
    jars = cache_home() / "whimbrel" / f"kafka-{VERSION}"
    _require(["java"] if jars.exists() else ["java", "mvn"])
    if not jars.exists():
        _fetch(jars)
    return f"{jars}/*"


def _require(programs: list[str]) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        packages = " ".join(PACKAGES[program] for program in missing)
        raise ToolMissingError(f"not found: {', '.join(missing)}. Install with: apt install {packages}")


def _fetch(jars: Path) -> None:
    if not POM.exists():
        raise JarsMissingError(f"{POM} is missing: Kafka for development runs from a checkout of the repository")
    jars.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=jars.parent, prefix="fetching-") as directory:
        fetched = Path(directory) / "jars"
        log = Path(directory) / "log"
        command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={fetched}"]
        with Process(command, log=log) as maven:  # which does not go on fetching when this process ends
            status = maven.wait()
        if status:
            said = log.read_text(encoding="utf-8", errors="replace").strip()[-2000:]
            raise JarsMissingError(f"mvn could not fetch Kafka {VERSION}:\n{said}")
        # Two processes may fetch at once: whoever is second finds the place taken and leaves it.
        try:
            fetched.rename(jars)
        except OSError:
            if not jars.exists():
                raise
