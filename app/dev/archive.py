"""Kafka's classes as a JVM has loaded them once (class data sharing): who maps them starts in half the time."""

import hashlib
import shutil
from pathlib import Path
from typing import Final

from app.dev.jars import VERSION
from app.settings import cache_home

# A JVM that cannot use an archive goes on without it, and need not say so.
QUIETLY: Final = ("-Xshare:auto", "-Xlog:cds=off", "-Xlog:cds+dynamic=off")


def archive() -> Path:
    """Return where the archive is, or would be, of the java on the path: each JVM needs its own."""
    java = Path(shutil.which("java") or "java").resolve()
    built = f"{java} {java.stat().st_mtime_ns}" if java.exists() else str(java)
    return cache_home() / "whimbrel" / f"kafka-{VERSION}-{hashlib.sha256(built.encode()).hexdigest()[:12]}.jsa"


def using_archive() -> tuple[str, ...]:
    """Return the JVM's options to use the archive, none where there is none yet."""
    path = archive()
    return (f"-XX:SharedArchiveFile={path}", *QUIETLY) if path.exists() else ()


def making_archive(path: Path) -> tuple[str, ...]:
    """Return the JVM's options to write an archive of its classes to `path` as it ends."""
    return (f"-XX:ArchiveClassesAtExit={path}", *QUIETLY)


def keep_archive(path: Path) -> None:
    """Take an archive that was written into the cache, on whose file system it is."""
    if path.exists():
        path.replace(archive())
