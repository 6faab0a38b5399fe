"""`whimbrel dead-letters`: inputs that could not be processed; look at them, replay them, drop them."""

import asyncio
import sys
from contextlib import aclosing
from typing import Annotated, Any

import orjson
import typer
from msgspec.structs import replace

from app import clock, settings
from app.cli import values
from app.contract.instants import format_instant
from app.errors import WhimbrelError
from app.settings import Settings
from app.streams import dead_letters
from app.streams.dead_letters import Letter, LetterError, Wanted
from app.streams.names import Names

dead_letters_app = typer.Typer(
    help="Inputs that could not be processed: look at them, replay them once mended, drop them.", no_args_is_help=True
)

Topic = Annotated[str | None, typer.Option(metavar="NAME", help="Only those of this topic.")]
Partition = Annotated[int | None, typer.Option(min=0, metavar="N", help="Only those of this partition.")]
Account = Annotated[str | None, typer.Option(metavar="ID", help="Only those of this account.")]
Reason = Annotated[str | None, typer.Option(metavar="TEXT", help="Only those whose reason contains this.")]
Since = Annotated[str | None, typer.Option(metavar="INSTANT", help="Only those written since.")]
Named = Annotated[
    list[str] | None, typer.Argument(metavar="LETTER", help="As `list` names them: billing.events/3/1042.")
]
Every = Annotated[bool, typer.Option("--all", help="Every open one that the other options leave.")]
By = Annotated[str | None, typer.Option(metavar="WHO", help="Who does it: the letter keeps it.")]


@dead_letters_app.command("list")
def list_(
    topic: Topic = None,
    partition: Partition = None,
    account: Account = None,
    reason: Reason = None,
    since: Since = None,
    closed: Annotated[bool, typer.Option("--all", help="Replayed, dropped and resumed ones, too.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Lines of JSON.")] = False,
) -> None:
    """Print the open dead letters, the oldest first; instants are UTC."""
    wanted = replace(_wanted(topic, partition, account, reason, since), closed=closed)
    found = dead_letters.matching(_known(), wanted)
    for letter in found:
        print(orjson.dumps(_as_json(letter)).decode() if json else _as_sentence(letter))
    if not (found or json):
        print("no dead letters")


@dead_letters_app.command()
def show(
    letter: Annotated[str, typer.Argument(metavar="LETTER", help="As `list` names it: billing.events/3/1042.")],
    payload: Annotated[
        bool, typer.Option("--payload", help="The record too, read again. It may hold addresses and links.")
    ] = False,
) -> None:
    """Say all that is known of one dead letter."""
    (found,) = _named(_known(), [letter])
    for name, value in _as_json(found).items():
        if value not in (None, ""):
            print(f"{name:<10} {value}")
    if payload:
        _print_payload(found)


@dead_letters_app.command("replay")
def replay_(
    letters: Named = None,
    topic: Topic = None,
    partition: Partition = None,
    account: Account = None,
    reason: Reason = None,
    since: Since = None,
    every: Every = False,
    by: By = None,
) -> None:
    """Have the records processed again, behind all that has come by now: late facts, as any other.

    What bears no version (account.updated, preferences_changed, cards, jobs) takes effect as the newest word: where a
    newer one of the account has come meanwhile, replaying the older undoes it. Drop such a letter, or have upstream
    publish the present state again. A closed letter is replayed where it is named.
    """
    current = settings.load()
    if current.ticks == "external":
        raise WhimbrelError("a played history (WHIMBREL_TICKS=external) takes no replays: publish it anew")
    found = _chosen(letters, _wanted(topic, partition, account, reason, since), every=every)
    accounts = [letter for letter in found if letter.opened.account is not None]
    records = [letter for letter in found if letter.opened.account is None]
    for letter in accounts:
        print(f"goes on by itself once it can, tried each hour and at a worker's start: {_as_sentence(letter)}")
    if not asyncio.run(_replayed(current, records, by)):
        print("what cannot be replayed any more is closed with: whimbrel dead-letters drop", file=sys.stderr)
        raise typer.Exit(1)


async def _replayed(current: Settings, letters: list[Letter], by: str | None) -> bool:
    """Replay, print each letter as it is done, and say whether all are."""
    well = True
    at = format_instant(clock.now())
    async with aclosing(dead_letters.replay(current.kafka, Names(current.prefix), letters, at, by)) as each:
        async for letter, failure in each:
            if failure is None:
                print(f"replayed: {_as_sentence(letter)}", flush=True)
            else:
                well = False
                print(f"error: {failure}: {_as_sentence(letter)}", file=sys.stderr)
    return well


@dead_letters_app.command()
def drop(
    by: Annotated[str, typer.Option(metavar="WHO", help="Who does it: the letter keeps it.")],
    why: Annotated[str, typer.Option(metavar="TEXT", help="Why it needs no processing: the letter keeps it.")],
    letters: Named = None,
    topic: Topic = None,
    partition: Partition = None,
    account: Account = None,
    reason: Reason = None,
    since: Since = None,
    every: Every = False,
) -> None:
    """Close dead letters for good. The records stay where they are; a parked account goes on being tried."""
    current = settings.load()
    found = _chosen(letters, _wanted(topic, partition, account, reason, since), every=every)
    at = format_instant(clock.now())
    asyncio.run(dead_letters.drop(current.kafka, Names(current.prefix), found, at, by, why))
    for letter in found:
        print(f"dropped: {_as_sentence(letter)}")


def _wanted(
    topic: str | None, partition: int | None, account: str | None, reason: str | None, since: str | None
) -> Wanted:
    return Wanted(
        topic=topic,
        partition=partition,
        account=account,
        reason=reason,
        since=None if since is None else values.instant(since, "--since"),
    )


def _known() -> dict[str, Letter]:
    current = settings.load()
    return asyncio.run(dead_letters.letters(current.kafka, Names(current.prefix)))


def _chosen(names: list[str] | None, wanted: Wanted, *, every: bool) -> list[Letter]:
    """Return the letters that are named, or else those that the filters leave; none of these is no choice."""
    if names:
        if every or wanted != Wanted():
            raise typer.BadParameter("name letters, or filter them: not both")
        return _named(_known(), names)
    if not every and wanted == Wanted():
        raise typer.BadParameter("name letters, or choose them by options; --all means every open one")
    found = dead_letters.matching(_known(), wanted)
    if not found:
        print("no open dead letter is so")
    return found


def _named(known: dict[str, Letter], names: list[str]) -> list[Letter]:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise WhimbrelError(f"no dead letter {', '.join(unknown)}; see: whimbrel dead-letters list --all")
    return [known[name] for name in dict.fromkeys(names)]


def _print_payload(letter: Letter) -> None:
    if letter.opened.account is not None:
        print("payload    none: a tick raised, no record")
        return
    try:
        record = asyncio.run(dead_letters.record_of(settings.load().kafka, letter))
    except LetterError as error:
        print(f"payload    none: {error}")
        return
    print(f"key        {_text(record.key)}")
    for name, value in record.headers:
        print(f"header     {name}: {_text(value)}")
    print(_text(record.value))


def _text(value: bytes | None) -> str:
    return "(none)" if value is None else value.decode(errors="replace")


def _as_sentence(letter: Letter) -> str:
    """Return a line for people: `2026-06-10T13:00:00Z  billing.events/3/1042  a0131  data.amount: must be ...`."""
    told = letter.opened
    said = f"{told.field}: {told.reason}" if told.field else told.reason
    end = "" if letter.is_open else f"  (was {letter.newest.state} {letter.newest.at})"
    return f"{told.at}  {letter.name}  {letter.account or '-'}  {said}{end}"


def _as_json(letter: Letter) -> dict[str, Any]:
    told, newest = letter.opened, letter.newest
    return {
        "letter": letter.name,
        "topic": told.topic,
        "partition": told.partition,
        "offset": told.offset if told.account is None else None,
        "account": letter.account or None,
        "field": told.field,
        "reason": told.reason,
        "at": told.at,
        "origin": told.origin,
        "state": newest.state,
        "closed_at": None if letter.is_open else newest.at,
        "by": newest.by,
        "note": newest.note,
    }
