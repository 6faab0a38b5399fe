"""`whimbrel rebuild`: the triggers app's state made anew from the topics, compared, and put in place."""

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Final, get_args

import orjson
import typer
from msgspec import Struct

from app import bootstrap, settings
from app.contract.instants import SECOND, format_instant
from app.errors import WhimbrelError
from app.rebuild.difference import NAMED, TABLES, Differing, Kind
from app.rebuild.partition import Result
from app.rebuild.reading import Plan, rebuilt, rulebook_in_force
from app.rebuild.switching import switched
from app.settings import Settings
from app.streams.client import partitions_of
from app.streams.names import Names
from app.streams.rewriting import patient

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
DIFFERENT: Final = 1


class Found(Struct, frozen=True):
    """What was found in each partition that has a state."""

    results: dict[int, Result]
    switched: bool

    @property
    def rows(self) -> Counter[tuple[str, str]]:
        """Rows by table and kind, the equal ones among them."""
        rows: Counter[tuple[str, str]] = Counter()
        for result in self.results.values():
            rows.update({(table, "equal"): count for table, count in result.comparison.equal.items()})
            rows.update((each.table, each.kind) for each in result.comparison.found)
        return rows

    @property
    def differing(self) -> list[tuple[int, Differing]]:
        """The rows that are not equal."""
        return [(p, each) for p, result in self.results.items() for each in result.comparison.found]


def rebuild(
    partition: Annotated[
        list[int] | None, typer.Option(min=0, help="Only this partition. Repeatable. Default: all.")
    ] = None,
    switch: Annotated[
        bool, typer.Option("--switch", help="Put the rebuilt rows in place. Workers of the triggers app end.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --switch: do not ask.")] = False,
    keep_missing: Annotated[
        bool, typer.Option("--keep-missing", help="Keep the old rows of what topics no longer hold.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One object of JSON.")] = False,
) -> None:
    """Make the state anew from the topics and compare it; nothing is sent, and nothing is changed without --switch.

    What was decided is taken from the decisions topic, never decided again. Exit status 1 where rows differ and stay.
    """
    if switch and not yes:
        typer.confirm(
            "This ends every running worker of the triggers app. Stop them first, or their supervisor starts them"
            " again. Go on?",
            abort=True,
            err=True,
        )
    found = asyncio.run(_rebuild(settings.load(), partition or [], switch=switch, keep_missing=keep_missing))
    print(as_json(found) if json else as_text(found))
    if found.differing and not switch:
        sys.exit(DIFFERENT)


async def _rebuild(current: Settings, wanted: Sequence[int], *, switch: bool, keep_missing: bool) -> Found:
    names = Names(current.prefix)
    here = [each.partition for each in await partitions_of(current.kafka, names.book_journal)]
    beyond = sorted(set(wanted) - set(here))
    if beyond:
        raise WhimbrelError(f"no partition {beyond[0]}: {names.book_journal} has {len(here)}, from 0 on")
    plan = Plan(
        bootstrap=current.kafka,
        names=names,
        rulebook=await rulebook_in_force(current.kafka, names),
        external=current.ticks == "external",
        lag=round(current.tick_seconds * SECOND),
        keep_missing=keep_missing,
    )
    results = {}
    async with patient(current.kafka) as patience:
        for number in sorted(wanted) or here:
            if switch:
                result = await switched(plan, bootstrap.triggers(current).app, number, patience)
            else:
                found = await rebuilt(plan, number)
                result = None if found is None else found[1]
            if result is not None:
                results[number] = result
    return Found(results, switch)


def as_text(found: Found) -> str:
    """Return the differences by table, the first of each named: keys and fields, never what they hold."""
    facts = sum(result.facts for result in found.results.values())
    rows = found.rows
    lines = [f"{facts:,} facts of {len(found.results)} partitions read", ""]
    lines.append(f"{'table':<10}" + "".join(f"{kind:>12}" for kind in ("equal", *KINDS)))
    lines += [f"{table:<10}" + "".join(f"{rows[table, k]:>12,}" for k in ("equal", *KINDS)) for table in TABLES]
    lines += ["", *_named(found), *_beside(found)]
    count = len(found.differing)
    end = "put in place" if found.switched else "nothing changed; --switch puts the rebuilt rows in place"
    lines.append(f"{count:,} rows differ" + (f": {end}" if count else ""))
    return "\n".join(lines)


def as_json(found: Found) -> str:
    """Return the same for programs, every differing row named."""
    rows = found.rows
    undecided = [(p, each) for p, result in found.results.items() for each in result.undecided]
    answer: dict[str, Any] = {
        "tables": {table: {kind: rows[table, kind] for kind in ("equal", *KINDS)} for table in TABLES},
        "rows": [
            {"partition": p, "table": d.table, "key": d.key.decode(), "kind": d.kind, "fields": d.fields}
            for p, d in found.differing
        ],
        "kept_accounts": sum(len(result.kept) for result in found.results.values()),
        "kept_decisions": sum(result.unsaid for result in found.results.values()),
        "undecided": [
            {
                "partition": p,
                "rule": each.rule,
                "account": each.book,
                "subject": each.subject,
                "moment": format_instant(each.moment),
            }
            for p, each in undecided
        ],
        "switched": found.switched,
    }
    return orjson.dumps(answer).decode()


def _named(found: Found) -> list[str]:
    named: Counter[tuple[str, str]] = Counter()
    lines = []
    for partition, each in found.differing:
        named[each.table, each.kind] += 1
        if named[each.table, each.kind] <= NAMED:
            fields = f": {', '.join(each.fields)}" if each.fields else ""
            lines.append(f"{each.kind}: partition {partition}, {each.key.decode()}{fields}")
    return [*lines, ""] if lines else []


def _beside(found: Found) -> list[str]:
    lines = []
    kept = sum(len(result.kept) for result in found.results.values())
    if kept:
        lines.append(f"{kept:,} accounts keep their rows: the topics no longer hold all of their events")
    unsaid = sum(result.unsaid for result in found.results.values())
    if unsaid:
        lines.append(f"{unsaid:,} decisions stay made: the topics no longer hold their lines")
    undecided = [each for result in found.results.values() for each in result.undecided]
    if undecided:
        lines.append(f"{len(undecided):,} came up by the topics and have no line; nothing will be decided of them:")
        lines += [
            f"  {each.rule} {each.book} {each.subject} at {format_instant(each.moment)}" for each in undecided[:NAMED]
        ]
    return [*lines, ""] if lines else []
