"""The environment (WHIMBREL_*) as typed settings; nothing else reads the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from app.errors import WhimbrelError

PREFIX = "WHIMBREL_"


class SettingsError(WhimbrelError):
    """A setting has a value that it cannot have."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One process's settings. Each field's variable is its name in capitals behind WHIMBREL_."""

    kafka: str = "127.0.0.1:9092"
    """Bootstrap servers, host:port, separated by commas."""
    prefix: str = ""
    """Put before the name of every topic, group and transactional id."""
    partitions: int = 4
    """N: the partition count of every topic but `whimbrel.config`."""
    state: Path = Path("state")
    """Directory of RocksDB, one worker's own."""
    worker: str = ""
    """Static member id (group.instance.id); empty: a dynamic member."""
    session_seconds: int = 10
    """How long a silent worker keeps its partitions."""
    ticks: Literal["timer", "external"] = "timer"
    """Who makes time: each worker's timer, or whoever plays a history (`whimbrel publish --ticks`)."""
    tick_seconds: float = 10.0
    lost_input: Literal["stop", "go_on"] = "stop"
    """Where retention has removed records before they were processed, or a topic was made anew: end, saying so, or go
    on from the topic's beginning."""
    guard_max_per_hour: int | None = None
    """Recipients that a rule may write to in a sliding hour, else the guard holds it; empty: 5 % of the known accounts,
    1,000 at the least. Each partition counts its share, at least 100."""
    catch_up_per_second: float | None = None
    """Notifications a second, of all partitions together, that ticks more than 15 minutes behind may decide to send;
    empty: as fast as they can."""
    dead_letters_per_hour: int = 1_000
    """Dead letters of one partition in a sliding hour; where there would be more, the worker stops."""
    delivery: str = "smtp"
    """`smtp`, `redirect:ADDRESS` or `off`."""
    smtp_host: str = "127.0.0.1"
    smtp_port: int = 25
    smtp_tls: Literal["none", "starttls", "tls"] = "none"
    smtp_user: str = ""
    smtp_password: str = ""
    smtp_timeout: float = 30.0
    """Seconds for each of the dialogue's steps."""
    smtp_concurrency: int = 8
    """Connections to the relay, a worker."""
    retry_seconds: float = 60.0
    """Wait before a message that the relay has put off is tried again; it doubles with each attempt, up to 2 h."""
    freshness_seconds: float = 900.0
    """A message is handed over while it was known to be true so long ago; older, it is checked first."""
    templates: Path | None = None
    """A directory of templates that takes precedence over the built-in ones."""
    metrics_port: int = 0
    """Port of /metrics, /healthz and /readyz; 0 takes any free one, negative none."""
    metrics_host: str = "127.0.0.1"
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    def __post_init__(self) -> None:
        """Check what types alone do not."""
        mode, _, address = self.delivery.partition(":")
        if mode not in {"smtp", "off", "redirect"} or (mode == "redirect") != ("@" in address):
            raise SettingsError("WHIMBREL_DELIVERY: must be smtp, off or redirect:ADDRESS")
        if self.guard_max_per_hour is not None and self.guard_max_per_hour < 1:
            raise SettingsError("WHIMBREL_GUARD_MAX_PER_HOUR: must be 1 or more, or empty")
        if self.catch_up_per_second is not None and not 0 < self.catch_up_per_second < float("inf"):
            raise SettingsError("WHIMBREL_CATCH_UP_PER_SECOND: must be more than 0, or empty")
        if self.dead_letters_per_hour < 1:
            raise SettingsError("WHIMBREL_DEAD_LETTERS_PER_HOUR: must be 1 or more")


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read WHIMBREL_* from `environment`; raise SettingsError naming every variable that is wrong."""
    hints = get_type_hints(Settings)
    known = {PREFIX + field.name.upper(): field.name for field in fields(Settings)}
    values: dict[str, Any] = {}
    mistakes = []
    for variable, text in environment.items():
        name = known.get(variable)
        if name is None:
            continue
        try:
            values[name] = _parse(text, hints[name])
        except ValueError as error:
            mistakes.append(f"{variable}: {error}")
    if mistakes:
        raise SettingsError("\n".join(mistakes))
    return Settings(**values)


def cache_home(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the directory for what can be fetched again (XDG base directories)."""
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def child_environment(own: Mapping[str, object], environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment for a child process: this one's, but of WHIMBREL_* only `own`, by field names.

    Raises KeyError where a name is no setting's.
    """
    known = {field.name: PREFIX + field.name.upper() for field in fields(Settings)}
    inherited = {name: value for name, value in environment.items() if not name.startswith(PREFIX)}
    return inherited | {known[name]: str(value) for name, value in own.items()}


def _parse(text: str, kind: Any) -> Any:
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise ValueError("must be one of " + ", ".join(get_args(kind)))
        return text
    if isinstance(kind, UnionType):
        return _parse(text, get_args(kind)[0]) if text else None
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"must be {'a whole number' if kind is int else 'a number'}") from None
