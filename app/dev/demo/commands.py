"""Three commands to copy, about what has just been played; each works as printed, beside the demo."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any, Final

from app.contract.instants import datetime_of, format_instant, parse_instant
from app.dev.demo.crew import whimbrel
from app.dev.demo.plan import Plan
from app.domain.rules import Rule

MORE_DAYS: Final = 3
ENOUGH_LINES: Final = 3

Line = Mapping[str, Any]


@dataclass(frozen=True)
class Command:
    """A question, and the shell's lines that answer it."""

    asks: str
    lines: Sequence[str]


def commands(plan: Plan, bootstrap: str, decisions: Sequence[Line], rules: Iterable[Rule]) -> list[Command]:
    """Return as many of the three as the decisions give occasion to."""
    found = [_why(bootstrap, decisions), _what_if(plan, decisions, rules), _simulate(plan)]
    return [each for each in found if each is not None]


def _why(bootstrap: str, decisions: Sequence[Line]) -> Command | None:
    mail = _interesting_mail(decisions)
    if mail is None:
        return None
    day = datetime_of(parse_instant(mail["moment"])).strftime("%d %b").lstrip("0")
    account = mail["account_id"]
    line = f"WHIMBREL_KAFKA={bootstrap} {quote(whimbrel())} decisions --account {quote(account)}"
    return Command(f"Why did {account} get {mail['rule']} on {day}, and what did it not get?", [line])


def _interesting_mail(decisions: Sequence[Line]) -> Line | None:
    """Return the last mail of the account with the most kinds of decisions in the fewest lines."""
    accounts: dict[str, list[Line]] = defaultdict(list)
    for line in decisions:
        if line["account_id"] is not None:  # a login's has none
            accounts[line["account_id"]].append(line)
    told = [lines for lines in accounts.values() if any(line["outcome"] == "sent" for line in lines)]
    if not told:
        return None
    best = max(told, key=lambda lines: (len({_kind(line) for line in lines}), -len(lines), lines[0]["account_id"]))
    return [line for line in best if line["outcome"] == "sent"][-1]


def _kind(line: Line) -> tuple[Any, ...]:
    return line["outcome"], line["reason"]


def _what_if(plan: Plan, decisions: Sequence[Line], rules: Iterable[Rule]) -> Command | None:
    often = Counter(line["rule"] for line in decisions if line["outcome"] == "sent")
    counting = [rule for rule in rules if rule.x]
    if not counting:
        return None
    rule = max(counting, key=lambda rule: (often[rule.id], rule.id))
    x = (rule.x or 0) + MORE_DAYS
    output = plan.directory / "what-if.jsonl"
    edit = f"/id: {rule.id}$/,/x:/s/x: .*/x: {x}/"
    lines = [
        f"sed {quote(edit)} {_path(plan.config)}/rules.yaml > {_path(plan.what_if)}/rules.yaml",
        *_simulation(plan, plan.what_if, output),
        f"diff {_path(plan.simulated)} {_path(output)} | cut -c 1-150 | head -n 20",
    ]
    lines[-2] += " 2> /dev/null"
    return Command(f"What if {rule.id} had X = {x} instead of {rule.x}?", lines)


def _simulate(plan: Plan) -> Command:
    output = plan.directory / "again.jsonl"
    compare = f"cmp {_path(plan.simulated)} {_path(output)} && wc -l {_path(output)}"
    return Command("What would be decided, without Kafka?", [*_simulation(plan, plan.config, output), compare])


def simulation(plan: Plan, config: Path, output: Path) -> list[str]:
    """Return the command that decides over the played history."""
    return [part for line in _parts(plan, config, output) for part in line]


def _simulation(plan: Plan, config: Path, output: Path) -> list[str]:
    *before, last = [" ".join(map(quote, line)) for line in _parts(plan, config, output)]
    return [*(f"{line} \\" for line in before), last]


def _parts(plan: Plan, config: Path, output: Path) -> list[list[str]]:
    """Return the same in lines that fit a terminal."""
    span = plan.span
    pauses = [f"{format_instant(each.begin)}..{format_instant(each.end)}" for each in span.pauses]
    return [
        [whimbrel(), "simulate", "--config", _shown(config), "--events", _shown(plan.history)],
        ["--from", format_instant(span.begin), "--until", format_instant(span.until)],
        [*(part for pause in pauses for part in ("--pause", pause)), "--output", _shown(output)],
    ]


def _path(path: Path) -> str:
    return quote(_shown(path))


def _shown(path: Path) -> str:
    """Return the path as seen from here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
