"""Structured logs on stderr: a line an event, its fields as `extra`, as text for people or as JSON for machines."""

import logging
import sys
from typing import Any, Final, Literal

import msgspec

_PLAIN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
SELDOM_SECONDS: Final = 10.0
REMEMBERED: Final = 1_000
_LIBRARIES: Final = ("aiokafka", "faust", "mode", "aiohttp", "asyncio")
_encode = msgspec.json.Encoder(enc_hook=str).encode


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return what was passed as `extra`."""
    return {name: value for name, value in vars(record).items() if name not in _PLAIN and value is not None}


class TextFormatter(logging.Formatter):
    """`2026-06-10 13:00:00,000 INFO app.streams.lanes: lane runs partition=3`."""

    def __init__(self) -> None:
        """Set the line's head."""
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Add the fields."""
        return " ".join([super().formatMessage(record), *(f"{name}={value}" for name, value in fields(record).items())])


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger, message, the event's fields, and the traceback of an error."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **fields(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return _encode(line).decode()


class Seldom(logging.Filter):
    """Lets a library say one thing once in ten seconds: a broker that is away is reported a hundred times a second."""

    def __init__(self) -> None:
        """Have heard nothing yet."""
        super().__init__()
        self._said: dict[tuple[str, object], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the record is to be shown."""
        if not record.name.startswith(_LIBRARIES):
            return True
        thing = (record.name, record.msg)
        if record.created - self._said.get(thing, 0.0) < SELDOM_SECONDS:
            return False
        if len(self._said) >= REMEMBERED:
            self._said.clear()
        self._said[thing] = record.created
        return True


def setup(form: Literal["text", "json"], level: str) -> None:
    """Send every log to stderr; libraries only their warnings (with a lower level they build records all the time)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Seldom())
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
