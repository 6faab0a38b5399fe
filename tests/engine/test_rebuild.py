"""State made anew from the topics, against the state that a lane has made of them."""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from app.config.check import load_dir
from app.contract.instants import DAY, HOUR, MINUTE, Instant
from app.dev.provider import history as provider_history
from app.dev.provider import span
from app.domain import keys
from app.domain.book import invoice_of, pack, pending_of, tally_of
from app.domain.companies import EarlierZone
from app.domain.rules import Rule, Rulebook
from app.engine.batch import Bounds
from app.rebuild.difference import account_id
from app.rebuild.replay import ReplayError
from app.simulate.run import Pause, Span
from app.triggers import REGISTRY
from app.triggers.base import Coming, Present
from tests.builders import (
    a_company,
    a_rule,
    a_rulebook,
    account_event,
    an_event,
    at,
    invoice_event,
    written,
)
from tests.engine.rebuilding import Left, Logs, left, rebuilt
from tests.lanes import NAMES, Ran, logs_of, run_a_lane
from tests.poison import SECRET, MistakeError, raising
from tests.strategies import History, histories
from tests.unit.engine_heart.test_same_decisions import SLOW

CONFIG = Path(__file__).parents[2] / "deploy" / "config"
QUARTER = 15 * MINUTE


@SLOW
@given(history=histories(accounts=3), slice_=st.sampled_from((1, 2, 500)))
def test_made_anew_the_rows_are_those_that_a_lane_has_made(history: History, slice_: int) -> None:
    logs = logs_of(history.lines, history.span, history.rulebook.companies, QUARTER)
    result = rebuilt(logs, history.rulebook, left(run_a_lane(logs, history.rulebook, Bounds(slice=slice_))))
    assert not result.comparison.found
    assert not result.undecided
    assert not result.kept


@pytest.fixture(scope="module")
def rulebook() -> Rulebook:
    """The shipped rules, with a cap and with hours that hold a part of what comes up."""
    written = load_dir(CONFIG, REGISTRY)
    companies = {
        company.id: replace(company, window=(9 * 60 + 30, 15 * 60), skip_holidays=True, weekdays=frozenset(range(6)))
        for company in written.companies.values()
    }
    return Rulebook([replace(rule, cap=None if rule.critical else 1) for rule in written.rules], companies)


@pytest.fixture(scope="module")
def logs(rulebook: Rulebook) -> Logs:
    """Every third day there is an outage."""
    whole = span(24)
    begins = [whole.begin + day * DAY + 7 * HOUR for day in range(2, 24, 3)]
    over = Span(whole.begin, whole.until, tuple(Pause(begin, begin + 20 * HOUR) for begin in begins))
    return logs_of(list(provider_history(accounts=60, days=24)), over, rulebook.companies, QUARTER)


def test_wherever_the_lane_stands_its_rows_come_out(logs: Logs, rulebook: Rulebook) -> None:
    """Inside a tick, amid the backlog of an outage, and now and then."""
    stood: dict[str, list[Left]] = {"inside a tick": [], "missed": [], "held": [], "whenever": []}
    count = 0

    def look(ran: Ran) -> None:
        nonlocal count
        count += 1
        kinds = {"whenever"} if count % 400 == 0 else set()
        cursor = ran.commit.cursor
        if cursor is not None and cursor.after:
            kinds.add("inside a tick")
        waiting = [pending_of(key, value) for key, value in ran.store.scan(b"account/") if b"/pending/" in key]
        kinds |= {"missed" if pending.held is None else "held" for pending in waiting}
        for kind in kinds:
            if len(stood[kind]) < 12:
                stood[kind].append(left(ran))

    run_a_lane(logs, rulebook, Bounds(slice=1, ticks=1, records=3), look)
    assert all(len(found) >= 2 for found in stood.values()), {kind: len(found) for kind, found in stood.items()}
    for kind, places in stood.items():
        for place in places:
            result = rebuilt(logs, rulebook, place)
            assert not result.comparison.found, kind
            assert not result.undecided, kind


def counted_on(rulebook: Rulebook, events: Iterable[dict[str, Any]], history: Span) -> date:
    """The day that the one mail of a lane counts on; made anew, its rows are the same."""
    logs = logs_of([written(event) for event in events], history, rulebook.companies, QUARTER)
    found = left(run_a_lane(logs, rulebook))
    (tally,) = (tally_of(key, value) for key, value in found.rows.items() if key.startswith(b"cap/"))
    assert not rebuilt(logs, rulebook, found).comparison.found
    return tally.day


def test_after_a_change_of_zone_each_mail_counts_on_the_day_that_it_was_then() -> None:
    """Sent on the 8th by the wall in Sydney, which is the 7th in New York; the login is not looked at since."""
    company = a_company(
        time_zone="America/New_York", earlier=(EarlierZone("Australia/Sydney", at("2026-03-07 20:00")),)
    )
    rulebook = a_rulebook(a_rule("invoice_due_in_days", x=0), companies=[company])
    user = {"user_id": "u1", "name": "U", "email": "u@x.example", "company_id": "acme"}
    events = [
        account_event("2026-03-05 00:00"),
        an_event("portal.user.created", "2026-03-05 00:00", account="u1", user=user),
        invoice_event("2026-03-05 00:00", due_on="2026-03-08"),
    ]
    history = Span(at("2026-03-04 00:00"), at("2026-03-07 21:00"))
    assert counted_on(rulebook, events, history) == date(2026, 3, 8)


def test_a_mail_counts_on_the_day_of_the_zone_that_was_read_before_it_though_its_fact_is_older() -> None:
    """Published behind the change of zone, and ten minutes older: sent on the 12th in St John's, the 13th in Apia."""
    rulebook = a_rulebook(a_rule("billing_run_succeeded"), companies=[a_company()])
    run = {"run_id": "r1", "billed_on": "2026-06-12", "invoice_id": "i1"}
    events = [
        account_event("2026-06-10 00:00", time_zone="Pacific/Apia"),
        account_event("2026-06-12 18:15", time_zone="America/St_Johns"),
        an_event("billing.run.completed", "2026-06-12 18:05", **run),
    ]
    history = Span(at("2026-06-10 00:00"), at("2026-06-12 21:00"))
    assert counted_on(rulebook, events, history) == date(2026, 6, 12)


def test_an_event_published_again_after_a_change_of_zone_moves_no_mail_to_another_day() -> None:
    """Sent on the 13th in Apia, which was the 12th in St John's."""
    rulebook = a_rulebook(a_rule("billing_run_succeeded"), companies=[a_company()])
    run = {"run_id": "r1", "billed_on": "2026-06-12", "invoice_id": "i1"}
    completed = an_event("billing.run.completed", "2026-06-12 18:05", **run)
    events = [
        account_event("2026-06-10 00:00", time_zone="Pacific/Apia"),
        completed,
        account_event("2026-06-12 18:15", time_zone="America/St_Johns"),
        completed,
    ]
    history = Span(at("2026-06-10 00:00"), at("2026-06-12 21:00"))
    assert counted_on(rulebook, events, history) == date(2026, 6, 13)


def test_what_topics_no_longer_tell_keeps_its_rows(logs: Logs, rulebook: Rulebook) -> None:
    """An account whose first events are gone, and what was decided by lines that are gone."""
    found = left(run_a_lane(logs, rulebook))
    begin = {NAMES.billing: len(logs[NAMES.billing]) // 3}
    result = rebuilt(logs, rulebook, found, begin=begin, decisions=50)
    accounts = {keys.parse_row(key)[1] for key in found.rows if key.startswith(b"account/")}
    assert 0 < len(result.kept) < len(accounts)
    assert not result.comparison.found
    lost = {key: value for key, value in found.rows.items() if keys_of_another(key, result.kept)}
    result = rebuilt(logs, rulebook, Left(found.rows | doctored(lost), found.sent), begin=begin, decisions=50)
    assert [(each.table, each.kind, each.fields) for each in result.comparison.found] == [
        ("invoices", "differs", ("balance",))
    ]


def test_what_was_decided_stays_so_though_the_topic_of_decisions_was_made_anew(logs: Logs, rulebook: Rulebook) -> None:
    found = left(run_a_lane(logs, rulebook))
    decided = {key for key in found.rows if key.startswith(b"decided/")}
    result = rebuilt(logs, rulebook, found, decisions=1 << 20)
    assert result.unsaid == len(decided) > 0
    assert not [key for key, value in result.comparison.changes().items() if key in decided]


def keys_of_another(key: bytes, accounts: frozenset[str]) -> bool:
    return b"/invoice/" in key and keys.parse_row(key)[1] not in accounts


def doctored(rows: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    key, value = next(iter(rows.items()))
    invoice = invoice_of(key, value)
    return {key: pack(replace(invoice, balance=invoice.balance + 1))}


@pytest.mark.parametrize(("kind", "fields"), [(b"/invoice/", ("all",)), (b"/seen", ("events",))])
def test_a_row_that_cannot_be_read_is_made_anew(
    logs: Logs, rulebook: Rulebook, kind: bytes, fields: tuple[str, ...]
) -> None:
    found = left(run_a_lane(logs, rulebook))
    key = next(key for key in found.rows if kind in key)
    result = rebuilt(logs, rulebook, Left(found.rows | {key: b"\x01\xc1"}, found.sent))
    assert [(each.key, each.fields) for each in result.comparison.found] == [(key, fields)]
    assert result.comparison.changes() == {key: found.rows[key]}


def test_where_partitions_have_grown_who_left_is_passed_over_and_who_came_keeps_the_rows(
    logs: Logs, rulebook: Rulebook
) -> None:
    found = left(run_a_lane(logs, rulebook))
    rows = {key: value for key, value in found.rows.items() if key.startswith(b"~") or stays(account_id(key))}
    came = {
        key.replace(b"/a0001", b"/from-elsewhere"): value.replace(b"a0001", b"f0001")
        for key, value in found.rows.items()
        if account_id(key) == "a0001"
    }
    result = rebuilt(logs, rulebook, Left(rows | came, found.sent), begin=dict.fromkeys(NAMES.facts, 0), belongs=stays)
    assert result.kept == {"from-elsewhere"}
    assert not result.comparison.found
    assert not result.undecided
    assert result.comparison.equal["accounts"] == sum(keys.account_row(account_id(key)) == key for key in rows | came)


def test_where_the_rules_raise_over_a_record_that_was_taken_it_is_named_and_nothing_of_it_quoted(
    logs: Logs, rulebook: Rulebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = left(run_a_lane(logs, rulebook))
    told = (json.loads(value) for _, value in found.values(NAMES.decisions))
    failed = next(line["account_id"] for line in told if line["trigger"] == "payment_failed")
    monkeypatch.setitem(*raising("payment_failed", "occurs", failed))
    with pytest.raises(ReplayError, match=r"^billing.events\[0\]@\d+: handler: MistakeError at ") as raised:
        rebuilt(logs, rulebook, found)
    assert SECRET not in str(raised.value)


def test_where_the_rules_raise_as_a_clock_runs_on_the_account_is_named(
    logs: Logs, rulebook: Rulebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = left(run_a_lane(logs, rulebook))
    last: dict[str, Instant] = {}
    for record in (record for topic in NAMES.facts for record in logs[topic]):
        event = json.loads(record.value or b"")
        last[event["subject"]] = max(at(event["time"]), last.get(event["subject"], 0))
    trigger = vars(REGISTRY["invoice_past_due_for_days"])
    mended = trigger["coming"]

    def mistaken(present: Present, rule: Rule) -> Iterable[Coming]:
        if present.at >= last[present.book.id]:
            raise MistakeError(SECRET)
        called: Iterable[Coming] = mended(present, rule)
        return called

    monkeypatch.setitem(trigger, "coming", mistaken)
    with pytest.raises(ReplayError, match=r"^account a\d+: handler: MistakeError at "):
        rebuilt(logs, rulebook, found)


def stays(owner: str) -> bool:
    """Every other account; of the partition's own rows what counts accounts stays, too."""
    return owner.removeprefix(keys.USER_MARK)[-1:] in {"", *"13579"}
