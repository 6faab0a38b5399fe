"""Seeded histories whose right decisions are known.

`provider(seed, accounts, days)` is the demo's made-up provider: late, repeated and broken events, payments, flips. Its
`expected` are the decisions of `app.simulate.run.simulate` over the same lines. A load is played in external mode, with
its own time (`app.dev.publish`): `played` is all of it, `parts(0.5)` splits it at a tick, so that something can happen
between two parts; `publish` sends a part, spread over so many seconds.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from app.config.check import Config, load_dir
from app.contract.instants import DAY, MINUTE, Instant
from app.dev.play import Played, Ticked, play
from app.dev.provider import history, span
from app.dev.publish import publish_played
from app.domain.rules import Late, Rulebook
from app.engine.writing import as_line
from app.simulate.run import Pause, Span, simulate
from app.streams.names import Names
from app.triggers import REGISTRY

ROOT = Path(__file__).parents[2]
STEP = 15 * MINUTE
"""Between two ticks: the most for which the running system decides what `simulate` decides."""

Part = Sequence[Played | Ticked]


@dataclass(frozen=True)
class Load:
    """Lines in log order, and the configuration and stretch of time to play them with."""

    lines: Sequence[bytes]
    config: Config
    span: Span
    step: Instant = STEP
    later: Config | None = None
    """Applied in the middle, in place of `config`: all versions of all rules."""
    beside: int = 0
    """Records that a scenario publishes by itself, none of which is a fact: each must become a dead letter."""

    @property
    def whole(self) -> Config:
        """The configuration that knows everything, for `simulate`."""
        return self.later or self.config

    @cached_property
    def played(self) -> Part:
        """Everything in play order."""
        return list(play(self.lines, self.span, self.step, self.config.companies))

    @cached_property
    def facts(self) -> int:
        """How many lines are played."""
        return sum(isinstance(each, Played) for each in self.played)

    @cached_property
    def expected(self) -> list[dict[str, Any]]:
        """The right decisions, as lines of `simulate`."""
        return self._simulated[0]

    @cached_property
    def broken(self) -> int:
        """How many lines must become dead letters."""
        return self._simulated[1] + self.beside

    @cached_property
    def _simulated(self) -> tuple[list[dict[str, Any]], int]:
        played = sorted(each.line.number for each in self.played if isinstance(each, Played))
        lines = [self.lines[number - 1] for number in played]
        decisions, breaches = simulate(lines, Rulebook(self.whole.rules, self.whole.companies), self.span)
        return [as_line(decision) for decision in decisions], len(breaches)

    def parts(self, *shares: float) -> list[Part]:
        """Split the history at these shares of its span, each part but the last ending with a tick."""
        cuts = [self.span.begin + round(share * (self.span.until - self.span.begin)) for share in shares]
        parts: list[list[Played | Ticked]] = [[]]
        for each in self.played:
            parts[-1].append(each)
            if cuts and isinstance(each, Ticked) and each.at >= cuts[0]:
                cuts.pop(0)
                parts.append([])
        return [part for part in parts if part]

    async def publish(self, bootstrap: str, names: Names, part: Part, seconds: float) -> None:
        """Send a part with its ticks, spread over `seconds`."""
        begin = self.span.begin if part[0] is self.played[0] else part[0].at
        pace = seconds * DAY / max(part[-1].at - begin, 1)
        await publish_played(bootstrap, names, part, begin, day_seconds=pace)


def provider(seed: int, accounts: int = 120, days: int = 28, pauses: Sequence[Pause] = ()) -> Load:
    """Return the made-up provider's history."""
    whole = span(days)
    return Load(
        lines=list(history(accounts=accounts, seed=seed, days=days)),
        config=load_dir(ROOT / "deploy" / "config", REGISTRY),
        span=Span(whole.begin, whole.until, tuple(pauses)),
    )


def changing(load: Load, share: float) -> Load:
    """Return the load with rules that change at this share of its span: another X, another hour, one disabled."""
    instant = load.span.begin + round(share * (load.span.until - load.span.begin))
    changes: dict[str, dict[str, Any]] = {
        "past-due-7": {"x": 5},
        "due-today": {"send_at": "11:00"},
        "past-due-1": {"late": Late("send", 2 * DAY)},
        "autopay-failed": {"enabled": False},
    }
    later = [replace(r, enabled_at=instant, version=2, **changes[r.id]) for r in load.config.rules if r.id in changes]
    return dataclasses.replace(load, later=Config((*load.config.rules, *later), load.config.companies))
