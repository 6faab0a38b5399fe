"""`whimbrel forecast`: what comes next and when, if nothing more happens."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Final

import typer

from app import clock, settings
from app.cli.forecast_shown import Tally, account_as_json, account_as_text, days_as_json, days_as_text
from app.cli.simulate import said
from app.cli.values import instant
from app.config.check import load_dir
from app.contract.instants import DAY, Instant
from app.domain import keys
from app.domain.rules import Rulebook
from app.engine.standing import NEVER, standing
from app.engine.txn import Rows, Txn
from app.engine.txn_ledger import TxnLedger
from app.errors import WhimbrelError
from app.simulate.forecast import Ahead, Forecast, Standing, forecast, standings
from app.streams.client import partitions_of
from app.streams.names import Names
from app.streams.partitioner import partition_of
from app.streams.state import NothingKnownError, State, rulebook_in_force, state_of
from app.triggers import REGISTRY

ACCOUNT_DAYS: Final = 90
"""How far is looked for one account unless said otherwise: the course of an invoice, issue to delinquency."""
MOST_DAYS: Final = 400


class ParkedError(WhimbrelError):
    """An account stands aside, since something raises over it."""


def command(
    account: Annotated[str | None, typer.Option(help="What comes for this account, moment by moment.")] = None,
    days: Annotated[
        int | None,
        typer.Option(
            help="How far to look. Without --account: how much comes of each rule on each day.", min=1, max=MOST_DAYS
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="With --events: directory of rules and companies.", file_okay=False, exists=True)
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option(
            help="Look at this file's events, as simulate reads them, not at Kafka.", dir_okay=False, exists=True
        ),
    ] = None,
    at: Annotated[str | None, typer.Option(help="From when on, as 2026-06-01T00:00:00Z. Default: now.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say what comes next and when, if nothing more happens: by the running system's state, or by a file's events."""
    if account is None and days is None:
        raise typer.BadParameter("say --account ID, or --days N")
    begin = clock.now() if at is None else instant(at, "--at")
    ahead = Ahead(begin, begin + (days or ACCOUNT_DAYS) * DAY)
    if config is not None and events is not None and at is not None:
        _of_file(config, events, ahead, account, json=json)
    elif config is not None or events is not None:
        raise typer.BadParameter("a file's forecast takes all of --config DIR, --events FILE and --at INSTANT")
    else:
        asyncio.run(_of_kafka(ahead, account, json=json))


def _of_file(config: Path, events: Path, ahead: Ahead, account: str | None, *, json: bool) -> None:
    written = load_dir(config, REGISTRY)
    rulebook = Rulebook(written.rules, written.companies)
    with events.open("rb") as lines:
        found, breaches = standings(lines, rulebook, ahead.at)
    shown = _Shown(ahead, account, json=json)
    for each in found:
        if account is None or each.book.id == account:
            shown.add(forecast(each, rulebook, NEVER, ahead), ahead.at)
    shown.show(events.name)
    for breach in breaches:
        typer.echo(said(events, breach), err=True)
    if breaches:
        typer.echo(f"{len(breaches)} of the lines break the contract and were passed over", err=True)
        raise typer.Exit(1)


async def _of_kafka(ahead: Ahead, account: str | None, *, json: bool) -> None:
    current = settings.load()
    names = Names(current.prefix)
    rulebook = await rulebook_in_force(current.kafka, names.config)
    shown = _Shown(ahead, account, json=json)
    async with aclosing(_states(current.kafka, names, account)) as states:
        async for state in states:
            cursor = state.commit.cursor
            reached = ahead.at if cursor is None else cursor.instant
            live_since = ahead.at if state.commit.live_since is None else state.commit.live_since
            for whose, rows, parked in state.accounts():
                if account is not None and whose != account:
                    continue
                if parked:
                    shown.pass_over()
                else:
                    shown.add(forecast(_standing(whose, rows, state, rulebook), rulebook, live_since, ahead), reached)
    shown.show(names.book_journal)


async def _states(bootstrap: str, names: Names, account: str | None) -> AsyncGenerator[State]:
    """Yield each partition's state, or that of the account's alone."""
    journal = names.book_journal
    count = len(await partitions_of(bootstrap, journal))
    for partition in range(count) if account is None else (partition_of(account, count),):
        state = await state_of(bootstrap, journal, partition, account)
        if state is not None:
            yield state


def _standing(account: str, rows: Rows, state: State, rulebook: Rulebook) -> Standing:
    _, book = standing(account, rows.scan(keys.account_prefix(account)), state.commit.cursor)
    return Standing(book, TxnLedger(Txn(rows), Names(), rulebook, fresh=True))


class _Shown:
    """What is found, until it is printed."""

    def __init__(self, ahead: Ahead, account: str | None, *, json: bool) -> None:
        self._ahead = ahead
        self._account = account
        self._json = json
        self._one: Forecast | None = None
        self._tally = Tally()
        self._reached: Instant | None = None

    def add(self, found: Forecast, reached: Instant) -> None:
        """Take in an account's forecast, which goes by what was read until `reached`."""
        self._reached = reached if self._reached is None else min(self._reached, reached)
        if self._account is None:
            self._tally.add(found)
        else:
            self._one = found

    def pass_over(self) -> None:
        """Leave out an account that is parked; raise ParkedError where it is the one that is asked for."""
        if self._account is not None:
            raise ParkedError(
                f"account {self._account} is parked: nothing comes until that is mended;"
                f" whimbrel dead-letters list --account {self._account}"
            )
        self._tally.parked += 1

    def show(self, source: str) -> None:
        """Print it; raise NothingKnownError where the account is nowhere in the source."""
        ahead, reached = self._ahead, self._ahead.at if self._reached is None else self._reached
        if self._account is None:
            tally = self._tally
            print(days_as_json(tally, ahead, reached) if self._json else "\n".join(days_as_text(tally, ahead, reached)))
        elif self._one is None:
            raise NothingKnownError(f"account {self._account} is not known: {source} says nothing of it")
        else:
            one = self._one
            print(
                account_as_json(one, ahead, reached) if self._json else "\n".join(account_as_text(one, ahead, reached))
            )
