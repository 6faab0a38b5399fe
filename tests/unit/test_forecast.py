"""What `whimbrel forecast` foresees is what is decided afterwards, if nothing more happens (DOMAIN.md, section 6)."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from app.cli.main import app
from app.contract.codec import decode
from app.contract.instants import DAY, MINUTE, Instant, format_instant
from app.domain import keys
from app.domain.book import pack
from app.domain.rules import Rulebook
from app.domain.switches import Kill, Switches
from app.engine.heart import book_of
from app.engine.memory import MemoryStore
from app.engine.parked import Parked
from app.engine.records import COMMIT_KEY, decode_commit, encode_commit
from app.engine.standing import NEVER, standing
from app.engine.txn import Txn
from app.engine.txn_ledger import TxnLedger
from app.engine.writing import as_line
from app.simulate.forecast import Ahead, Forecast, Standing, forecast, standings
from app.simulate.run import Span, simulate
from app.streams.state import State
from tests.builders import (
    Event,
    a_payment,
    a_rule,
    a_rulebook,
    account_event,
    at,
    invoice_event,
    paid,
    written,
)
from tests.compare import differences
from tests.engine.office import NAMES, Office
from tests.lanes import left_by_a_lane, logs_of
from tests.strategies import History, histories

SLOW = settings(
    max_examples=settings.default.max_examples * 3 // 20 if settings.default else 15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
PAST = "invoice_past_due_for_days"


def read_by(lines: Sequence[bytes], instant: Instant) -> Iterator[bytes]:
    """What has been read by the instant: an account's clock never goes back."""
    newest: dict[str, Instant] = {}
    for line in lines:
        fact = decode(line, None, keyed=False)
        whose = book_of(fact)
        newest[whose] = max(newest.get(whose, NEVER), fact.time)
        if newest[whose] <= instant:
            yield line


def final(found: Sequence[Forecast]) -> list[str]:
    return [json.dumps(as_line(p.final)) for one in found for p in one.prospects if p.final is not None]


@SLOW
@given(history=histories(accounts=3, most_pauses=0), days=st.integers(1, 12))
def test_a_forecast_is_what_simulate_decides_in_that_stretch_if_nothing_more_happens(
    history: History, days: int
) -> None:
    now = history.span.until
    ahead = Ahead(now, now + days * DAY)
    known, book = list(read_by(history.lines, now)), history.rulebook
    found = [forecast(each, book, NEVER, ahead) for each in standings(known, book, now)[0]]
    decided = [json.dumps(as_line(d)) for d in simulate(known, book, Span(NEVER, ahead.until))[0]]
    before = [json.dumps(as_line(d)) for d in simulate(known, book, Span(NEVER, now))[0]]
    assert decided[: len(before)] == before
    after = [line for line in decided[len(before) :] if orjson.loads(line)["outcome"] != "held"]
    assert not differences(after, final(found))


@SLOW
@given(history=histories(accounts=1, most_pauses=0), days=st.integers(1, 12))
def test_what_is_still_held_as_a_forecast_ends_is_what_simulate_then_holds(history: History, days: int) -> None:
    now = history.span.until
    ahead = Ahead(now, now + days * DAY)
    known, book = list(read_by(history.lines, now)), history.rulebook
    found = [forecast(each, book, NEVER, ahead) for each in standings(known, book, now)[0]]
    held = {(p.rule, p.subject, p.moment, p.release) for one in found for p in one.prospects if p.final is None}
    later = [each.book.pending.values() for each in standings(known, book, ahead.until)[0]]
    assert held == {(p.occasion.rule, p.occasion.subject, p.occasion.moment, p.release) for each in later for p in each}


def of_rows(store: MemoryStore, commit: bytes, account: str, rulebook: Rulebook) -> Standing:
    _, book = standing(account, store.scan(keys.account_prefix(account)), decode_commit(commit).cursor)
    return Standing(book, TxnLedger(Txn(store), NAMES, rulebook, fresh=True))


@SLOW
@given(history=histories(accounts=2, most_pauses=0), days=st.integers(1, 12))
def test_a_forecast_from_a_worker_s_rows_is_what_the_worker_will_decide(history: History, days: int) -> None:
    now, begin, book = history.span.until, history.span.begin, history.rulebook
    ahead = Ahead(now, now + days * DAY)
    known = list(read_by(history.lines, now))
    rows, commit = left_by_a_lane(logs_of(known, history.span, book.companies, 15 * MINUTE), book)
    accounts = {book_of(decode(line, None, keyed=False)) for line in known}
    found = [forecast(of_rows(rows, encode_commit(commit), each, book), book, begin, ahead) for each in accounts]
    decided = [json.dumps(as_line(d)) for d in simulate(known, book, Span(begin, ahead.until))[0]]
    before = len(simulate(known, book, Span(begin, now))[0])
    after = [line for line in decided[before:] if orjson.loads(line)["outcome"] != "held"]
    assert not differences(after, final(found))


RULES = """
- {id: past-due-7, trigger: invoice_past_due_for_days, x: 7}
- {id: past-due-10, trigger: invoice_past_due_for_days, x: 10, when: {account_type: [business]}}
- {id: thanks, trigger: payment_succeeded, send: {weekdays: mon}}
- {id: declined, trigger: payment_failed, send: {window: "08:00-20:00"}}
"""
COMPANIES = """
- id: acme
  name: Acme
  from: {name: Acme, address: a@acme.example}
  locale: en_US
  time_zone: America/New_York
"""


def run(directory: Path, events: Sequence[Event], now: str, *options: str) -> Result:
    (directory / "rules.yaml").write_text(RULES)
    (directory / "companies.yaml").write_text(COMPANIES)
    (directory / "events.jsonl").write_bytes(b"".join(written(event) + b"\n" for event in events))
    file = ["--config", str(directory), "--events", str(directory / "events.jsonl"), "--at", format_instant(at(now))]
    return CliRunner().invoke(app, ["forecast", *file, *options])


def said(directory: Path, events: Sequence[Event], now: str, *options: str) -> str:
    result = run(directory, events, now, *options)
    assert result.exit_code == 0, result.output
    return result.output


def test_an_account_s_forecast_names_what_is_held_and_what_becomes_of_each_moment(tmp_path: Path) -> None:
    facts = [account_event("2026-06-01 00:00"), invoice_event("2026-06-01 00:00"), a_payment("2026-06-11 22:00")]
    now, held = "2026-06-11 Thu 23:00", "held (window) since 2026-06-11 Thu 22:00"
    assert said(tmp_path, facts, "2026-06-11 23:00", "--account", "a1", "--days", "30").splitlines() == [
        "a1  Ann  America/New_York",
        f"if nothing more happens, {now} to 2026-07-11 Sat 23:00, by what was read until {now}:",
        f"2026-06-12 Fri 08:00  {'declined':<24}  {'payment:p1:1':<36}  sent to 1: fin; {held}",
        f"2026-06-15 Mon 00:00  {'':<24}  {'invoice:i1':<36}  becomes delinquent",
        f"2026-06-17 Wed 09:00  {'past-due-7':<24}  {'invoice:i1:2026-06-10:7':<36}  sent to 1: fin",
        f"2026-06-20 Sat 09:00  {'past-due-10':<24}  {'invoice:i1:2026-06-10:10':<36}  skipped: filtered",
    ]


def test_an_account_s_forecast_as_json_has_lines_of_simulate(tmp_path: Path) -> None:
    facts = [account_event("2026-06-01 00:00"), invoice_event("2026-06-01 00:00"), a_payment("2026-06-11 22:00")]
    shown = orjson.loads(said(tmp_path, facts, "2026-06-11 23:00", "--account", "a1", "--days", "6", "--json"))
    assert (shown["account_id"], shown["company_id"], shown["time_zone"]) == ("a1", "acme", "America/New_York")
    assert (shown["at"], shown["until"]) == ("2026-06-12T03:00:00Z", "2026-06-18T03:00:00Z")
    first, second = shown["comes"]
    assert first | {"held": "window", "local": "2026-06-12T08:00-04:00", "release": None} == first
    assert (second["rule"], second["outcome"], second["recipients"]) == ("past-due-7", "sent", ["fin@a1.example"])
    assert shown["delinquent"] == [{"invoice_id": "i1", "delinquent_since": "2026-06-15", "at": "2026-06-15T04:00:00Z"}]


def test_what_is_still_held_as_the_forecast_ends_says_why_and_until_when(tmp_path: Path) -> None:
    facts = [account_event("2026-06-01 00:00"), a_payment("2026-06-12 10:00", "succeeded")]
    ahead = "2026-06-12 11:00", "--account", "a1", "--days", "1"
    shown = said(tmp_path, facts, *ahead).splitlines()
    assert shown[2:] == [
        f"2026-06-12 Fri 10:00  {'thanks':<24}  {'payment:p1':<36}  held (weekday) until 2026-06-15 Mon 00:00"
    ]
    (waits,) = orjson.loads(said(tmp_path, facts, *ahead, "--json"))["comes"]
    assert (waits["outcome"], waits["reason"], waits["decided_at"]) == ("held", "weekday", None)
    assert (waits["release"], waits["local"]) == ("2026-06-15T04:00:00Z", "2026-06-12T10:00-04:00")


def test_an_event_of_an_unknown_account_waits_for_it_for_a_day(tmp_path: Path) -> None:
    shown = said(tmp_path, [a_payment("2026-06-11 07:00")], "2026-06-11 07:30", "--account", "a1").splitlines()
    assert shown[0] == "a1  not known yet  UTC"
    assert shown[2].startswith("2026-06-12 Fri 11:00  declined ")
    assert shown[2].endswith("  skipped: no recipient; held (unknown_account) since 2026-06-11 Thu 11:00")


def test_a_forecast_of_days_counts_the_mails_of_each_rule_on_each_local_day(tmp_path: Path) -> None:
    facts = [account_event("2026-06-01 00:00"), invoice_event("2026-06-01 00:00")]
    facts += [account_event("2026-06-01 00:00", account="a2"), invoice_event("2026-06-01 00:00", account="a2")]
    facts += [a_payment("2026-06-11 21:00", "succeeded", account="a2"), paid("2026-06-18 00:00", account="a2")]
    shown = orjson.loads(said(tmp_path, facts, "2026-06-11 22:00", "--days", "18", "--json"))
    assert shown["accounts"] == 2
    assert shown["days"] == [
        {"day": "2026-06-15", "rule": "thanks", "mails": 1, "sent": 1, "skipped": 0, "superseded": 0},
        {"day": "2026-06-17", "rule": "past-due-7", "mails": 2, "sent": 2, "skipped": 0, "superseded": 0},
        {"day": "2026-06-20", "rule": "past-due-10", "mails": 0, "sent": 0, "skipped": 2, "superseded": 0},
    ]
    assert shown["delinquent"] == [{"day": "2026-06-15", "invoices": 2}]
    lines = said(tmp_path, facts, "2026-06-11 22:00", "--days", "1").splitlines()
    assert lines[2:] == ["still held then: 1 of thanks (weekday)"]
    lines = said(tmp_path, facts, "2026-06-11 22:00", "--days", "7").splitlines()
    assert lines[3].split() == ["2026-06-17", "Wed", "past-due-7", "2", "2", "0", "0"]
    assert lines[-1] == "2026-06-15 Mon  2 invoices become delinquent"


@pytest.mark.parametrize(
    "options",
    [[], ["--account", "a1", "--config", "."], ["--days", "0"], ["--account", "a1", "--at", "tomorrow"]],
)
def test_a_forecast_of_nothing_or_of_half_a_file_is_refused(options: list[str]) -> None:
    assert CliRunner().invoke(app, ["forecast", *options]).exit_code == 2


def test_an_account_of_which_nothing_is_known_is_an_error(tmp_path: Path) -> None:
    result = run(tmp_path, [account_event("2026-06-01 00:00")], "2026-06-02 00:00", "--account", "nobody")
    assert str(result.exception) == "account nobody is not known: events.jsonl says nothing of it"


def test_a_line_that_breaks_the_contract_is_told_after_the_forecast(tmp_path: Path) -> None:
    facts = [account_event("2026-06-01 00:00", name=3), account_event("2026-06-01 00:00")]
    result = run(tmp_path, facts, "2026-06-02 00:00", "--account", "a1")
    assert result.exit_code == 1
    assert result.stdout.endswith("nothing comes\n")
    assert result.stderr.startswith("events.jsonl:1: data.name: expected str, got int\n1 of the lines ")


def test_what_a_kill_switch_holds_waits_for_an_operator() -> None:
    rule = a_rule(PAST, "past-due", x=1)
    office = Office(a_rulebook(rule))
    office.tell(account_event("2026-06-01 00:00"), invoice_event("2026-06-01 00:00"))
    office.run_until(at("2026-06-01 00:00"))
    killed = Rulebook([rule], office.rulebook.companies, 1, Switches(Kill(all=True)))
    ahead = Ahead(at("2026-06-11 08:00"), at("2026-06-11 10:00"))
    (held,) = forecast(of_office(office), killed, at("2026-06-01 00:00"), ahead).prospects
    assert (held.held, held.release, held.final) == ("kill_switch", None, None)
    (free,) = forecast(of_office(office), office.rulebook, at("2026-06-01 00:00"), ahead).prospects
    assert (free.held, free.recipients, free.at) == (None, 1, at("2026-06-11 09:00"))


def test_what_an_outage_has_missed_comes_with_the_next_tick() -> None:
    office = Office(a_rulebook(a_rule(PAST, "past-due", x=1)))
    office.tell(account_event("2026-06-01 00:00"), invoice_event("2026-06-01 00:00"))
    office.run_until(at("2026-06-01 00:00"))
    ahead = Ahead(at("2026-06-12 15:00"), at("2026-06-13 15:00"))
    (missed,) = forecast(of_office(office), office.rulebook, at("2026-06-01 00:00"), ahead).prospects
    assert (missed.moment, missed.at) == (at("2026-06-11 09:00"), ahead.at)
    office.run_until(ahead.at)
    assert [each["decided_at"] for each in office.decisions()] == [format_instant(ahead.at)]


def of_office(office: Office) -> Standing:
    return of_rows(office.store, office.store.get(COMMIT_KEY) or b"", "a1", office.rulebook)


def test_a_parked_account_is_told_from_one_that_goes_on() -> None:
    office = Office(a_rulebook())
    office.tell(account_event("2026-06-01 00:00"), account_event("2026-06-01 00:00", account="a2"))
    office.run_until(at("2026-06-01 00:00"))
    rows = {name: dict(office.store.scan(f"account/{name}/".encode())) for name in ("a1", "a2")}
    rows["a2"][b"parked/a2/"] = pack(Parked(0, "handler", 0))
    commit = decode_commit(office.store.get(COMMIT_KEY) or b"")
    state = State(0, commit, {name.encode(): each for name, each in rows.items()} | {b"forgotten": {}})
    assert [(account, parked) for account, _, parked in state.accounts()] == [("a1", False), ("a2", True)]
