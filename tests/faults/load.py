"""Seeded histories whose right decisions are known.

`provider(seed, accounts, days)` is the demo's made-up provider: late, repeated and broken events, payments, flips. Its
`expected` are the decisions of `app.simulate.run.simulate` over the same lines. A load is played in external mode, with
its own time (`app.dev.publish`): `played` is all of it, `parts(0.5)` splits it at a tick, so that something can happen
between two parts; `publish` sends a part, spread over so many seconds. `much_said(seed, facts)` is a
day on which few of so many facts decide anything.
"""

import dataclasses
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from app.config.check import Config, load_dir
from app.contract.instants import DAY, HOUR, MINUTE, Instant
from app.dev.play import Played, Ticked, play
from app.dev.provider import history, span
from app.dev.publish import publish_played
from app.domain.rules import Late, Rulebook
from app.engine.writing import as_line
from app.simulate.run import Pause, Span, simulate
from app.streams.names import Names
from app.triggers import REGISTRY
from tests.builders import Event, a_company, a_payment, a_rule, account_event, an_event, at, invoice_event, written
from tests.faults.verifier import Said, gist

ROOT = Path(__file__).parents[2]
STEP = 15 * MINUTE
"""Between two ticks: the most for which the running system decides what `simulate` decides."""

SAID = {"invoice": 91.5, "account": 3.0, "preferences": 3.0, "again": 2.0, "payment": 0.5}
"""Percent of the facts of `much_said`."""
LATE = 0.05
"""The share of them that is logged up to an hour late."""

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
    instead: frozenset[str] = frozenset()
    """Final outcomes that may stand for a mail: see `verifier.mails`."""

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
    def broken(self) -> Counter[Said]:
        """What the dead letters must say that lines become."""
        return self._simulated[1]

    @cached_property
    def _simulated(self) -> tuple[list[dict[str, Any]], Counter[Said]]:
        played = sorted(each.line.number for each in self.played if isinstance(each, Played))
        lines = [self.lines[number - 1] for number in played]
        decisions, breaches = simulate(lines, Rulebook(self.whole.rules, self.whole.companies), self.span)
        broken = Counter(gist(breach.field, breach.reason) for breach in breaches)
        return [as_line(decision) for decision in decisions], broken

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


def much_said(seed: int, facts: int, accounts: int = 2_000) -> Load:
    """Return one day's history in which an account has one invoice, and nearly all facts are newer versions of it.

    Whether the two day rules write about an invoice is decided by what its newest version says at their moment. Of
    each account's events some come late, and some twice.
    """
    chance, begin = random.Random(f"much said {seed}"), at("2026-06-10 00:00")
    said: list[tuple[Instant, bytes]] = []
    for number in range(accounts):
        for time, event in _said_of(f"a{number:04}", facts // accounts, begin, chance):
            said.append((time + (chance.randrange(HOUR) if chance.random() < LATE else 0), written(event)))
    said.sort(key=lambda each: each[0])
    rules = (a_rule(x=1), a_rule("invoice_due_in_days", x=0), a_rule("payment_receipt"))
    config = Config(rules, {"acme": a_company()})
    return Load(lines=[line for _, line in said], config=config, span=Span(begin, begin + DAY))


def _said_of(account: str, count: int, begin: Instant, chance: random.Random) -> Iterator[tuple[Instant, Event]]:
    """Yield so many events of the account at their times; one that is said again comes at a later time, too."""
    contact = {"contact_id": "fin", "name": "Fin", "email": f"fin@{account}.example", "categories": ["financial"]}
    invoice = {"invoice_id": f"i-{account}", "due_on": f"2026-06-{chance.choice(('09', '10'))}"}
    first, *times = sorted(chance.randrange(begin, begin + DAY) for _ in range(count))
    event = account_event(first, account=account, id_=f"{account}-0", contacts=[contact])
    yield first, event
    kinds = chance.choices(tuple(SAID), tuple(SAID.values()), k=len(times))
    for number, (time, kind) in enumerate(zip(times, kinds, strict=True), 1):
        said: dict[str, Any] = {"account": account, "id_": f"{account}-{number}"}
        match kind:
            case "invoice":
                said |= invoice | {"version": number}
                said |= chance.choice(({"status": "open", "balance": 5000 - number}, {"status": "paid", "balance": 0}))
                event = invoice_event(time, kind="updated", **said)
            case "account":
                event = account_event(time, contacts=[contact], name=f"Ann the {number}th", **said)
            case "preferences":
                said |= {"contact_id": "fin", "email_opt_out": chance.random() < 0.1}
                event = an_event("portal.contact.preferences_changed", time, **said)
            case "payment":
                said |= {"payment_id": f"p-{account}-{number}", "receipt_requested": True}
                event = a_payment(time, "succeeded", **said)
        yield time, event
