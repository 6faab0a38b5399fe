"""`whimbrel decisions`: what was decided, for people or as `simulate` writes it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Annotated, Any, Final

import orjson
import typer

from app import settings
from app.contract.instants import datetime_of, parse_instant
from app.domain.keys import recipient_of
from app.engine.records import Record
from app.engine.writing import FORMAT
from app.errors import WhimbrelError
from app.streams.client import records
from app.streams.names import Names
from app.streams.repeats import Repeats

FIELDS: Final = (
    "rule",
    "trigger",
    "account_id",
    "subject",
    "moment",
    "decided_at",
    "outcome",
    "reason",
    "recipients",
    "dedup_keys",
)
"""Of a line of `simulate` (DOMAIN.md, section 7), in its order."""


class DecisionFormatError(WhimbrelError):
    """A record of whimbrel.decisions is of a format that this version does not know."""


def decisions(
    account: Annotated[str | None, typer.Option(help="Only this account's.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on as decisions are made, until Ctrl-C.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Lines of JSON, as simulate writes them.")] = False,
) -> None:
    """Print the decisions made so far, by the time they were made; instants are UTC."""
    current = settings.load()
    topic = Names(current.prefix).decisions
    show = as_json if json else as_sentence
    if follow:
        asyncio.run(_follow(current.kafka, topic, account, show))
        return
    for decision in sorted(asyncio.run(_collect(current.kafka, topic, account)), key=_order):
        print(show(decision))


def as_json(decision: dict[str, Any]) -> str:
    """Return the line that `simulate` would write."""
    return orjson.dumps({field: decision[field] for field in FIELDS}).decode()


def as_sentence(decision: dict[str, Any]) -> str:
    """Return a line for people: `12 Jun  past-due-7  a0131  skipped: no longer true  (invoice i1, status paid, …)`."""
    day = datetime_of(parse_instant(decision["moment"])).strftime("%d %b")
    said = decision["outcome"]
    if decision["reason"]:
        said += ": " + decision["reason"].replace("_", " ")
    if decision["dedup_keys"]:
        said += " to " + ", ".join(dict.fromkeys(map(recipient_of, decision["dedup_keys"])))
    by = ", ".join(f"{name} {_shown(fact)}" for name, fact in decision.get("facts", {}).items())
    return f"{day}  {decision['rule']:<20}  {decision['account_id'] or '-':<10}  {said}  ({by or decision['subject']})"


def _shown(fact: Any) -> str:
    return " ".join(map(str, fact.values())) if isinstance(fact, dict) else str(fact)


async def unrepeated(
    bootstrap: str, topic: str, account: str | None, *, follow: bool
) -> AsyncGenerator[dict[str, Any]]:
    """Yield each decision once, in order within each partition."""
    repeats = Repeats()
    async with aclosing(records(bootstrap, topic, follow=follow)) as each:
        async for record in each:
            if repeats.is_new(record) and (account is None or record.key == account.encode()):
                yield read_decision(record)


def read_decision(record: Record) -> dict[str, Any]:
    """Return a record's decision; raise DecisionFormatError where a later version wrote it."""
    decision: dict[str, Any] = orjson.loads(record.value or b"{}")
    if decision.get("format", 0) > FORMAT:
        raise DecisionFormatError(f"{record.topic} holds format {decision['format']}; this version reads {FORMAT}")
    return decision


async def _collect(bootstrap: str, topic: str, account: str | None) -> list[dict[str, Any]]:
    return [decision async for decision in unrepeated(bootstrap, topic, account, follow=False)]


async def _follow(bootstrap: str, topic: str, account: str | None, show: Callable[[dict[str, Any]], str]) -> None:
    async for decision in unrepeated(bootstrap, topic, account, follow=True):
        print(show(decision), flush=True)


def _order(decision: dict[str, Any]) -> tuple[Any, ...]:
    instants = parse_instant(decision["decided_at"]), parse_instant(decision["moment"])
    return (*instants, decision["rule"], decision["subject"])
