"""State made anew from the topics, against the state that a lane has made of them."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from app.config.check import load_dir
from app.contract.instants import DAY, HOUR, MINUTE, SECOND, Instant, parse_instant
from app.dev.provider import history as provider_history
from app.dev.provider import span
from app.domain import keys
from app.domain.book import SEEN, invoice_of, pack, pending_of, tally_of
from app.domain.companies import EarlierZone
from app.domain.rules import Rule, Rulebook
from app.domain.switches import Guard, Kill, Switches
from app.engine.batch import Bounds
from app.engine.dead_letters import DeadLetter
from app.engine.guard import Allowance
from app.engine.inputs import Fetch, Inputs
from app.engine.memory import Sent
from app.engine.records import COMMIT_KEY, PlainRecord, decode_commit, encode_commit
from app.engine.ticks import MILLISECOND, read_tick
from app.rebuild.difference import account_id
from app.rebuild.partition import Rebuild, Result, SnapshotInMaking
from app.rebuild.replay import Refusal, ReplayError, refusals
from app.simulate.run import Pause, Span
from app.triggers import REGISTRY
from app.triggers.base import Coming, Present
from tests.builders import (
    a_company,
    a_payment,
    a_rule,
    a_rulebook,
    account_event,
    an_event,
    at,
    invoice_event,
    written,
)
from tests.engine.office import Office
from tests.lanes import NAMES, Ran, logs_of, run_a_lane
from tests.poison import SECRET, MistakeError, raising
from tests.strategies import History, histories
from tests.unit.engine_heart.test_same_decisions import SLOW

CONFIG = Path(__file__).parents[2] / "deploy" / "config"
QUARTER = 15 * MINUTE
Logs = dict[str, list[PlainRecord]]


class Left(Struct):
    """What a lane has left: rows, the engine's among them, and outputs."""

    rows: dict[bytes, bytes]
    sent: list[Sent]

    def values(self, topic: str) -> list[tuple[bytes | None, bytes]]:
        """What was sent there, once: what a lane sends again bears the same id."""
        came = {sent.id: sent.output for sent in self.sent if sent.output.topic == topic}
        return [(output.key, output.value) for output in came.values()]


def left(ran: Ran | Office) -> Left:
    return Left(dict(ran.store.scan(b"")) | {COMMIT_KEY: ran.store.get(COMMIT_KEY) or b""}, list(ran.outputs.sent))


def rebuilt(
    logs: Logs,
    rulebook: Rulebook,
    found: Left,
    *,
    begin: Mapping[str, int] | None = None,
    decisions: int = 0,
    live: bool = False,
    belongs: Callable[[str], bool] = lambda owner: True,
) -> Result:
    """The rows that are left against those that the topics tell, where they begin at offsets `begin`, `decisions`."""
    making = SnapshotInMaking()
    for key, row in found.rows.items():
        making.take(key, row)
    snapshot = making.done()
    assert snapshot is not None
    positions = snapshot.commit.positions
    marks = [read_tick(record) for record in logs[NAMES.ticks][: positions[NAMES.ticks]]]
    letters = [(key, msgspec.json.decode(value, type=DeadLetter)) for key, value in found.values(NAMES.dead_letters)]
    refused = refusals(letters)
    rebuild = Rebuild(
        rulebook,
        snapshot,
        marks,
        lag=10 * SECOND,
        external=not live,
        refused=refused,
        missing=tuple(begin or ()),
        belongs=belongs,
    )
    for told, value in found.values(NAMES.decisions)[decisions:]:
        if belongs((told or b"").decode()):
            rebuild.memory.take(told, value)
    begins = dict.fromkeys(NAMES.facts, 0) | dict(begin or {})
    inputs = Inputs(begins)
    for topic, first in begins.items():
        end = positions[topic]
        inputs.feed(Fetch(topic, first, end, logs[topic][first:end], end, 0.0))
    while taken := inputs.take_by_time(100, 1 << 52, 0.0) if live else inputs.take_by_line(100, positions):
        rebuild.replay.read(taken)
    return rebuild.compared()


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
    logs = logs_of([written(event) for event in events], history, rulebook.companies, QUARTER)
    found = left(run_a_lane(logs, rulebook))
    (tally,) = (tally_of(key, value) for key, value in found.rows.items() if key.startswith(b"cap/"))
    assert tally.day == date(2026, 3, 8)
    assert not rebuilt(logs, rulebook, found).comparison.found


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


@pytest.mark.parametrize("forgotten", [0, 100_000], ids=["all ticks are kept", "ticks are long gone"])
def test_live_too_the_rows_come_out_whatever_is_held(rulebook: Rulebook, forgotten: int) -> None:
    """Ticks every ten seconds around what happens; a kill switch that is on, and a guard that has tripped."""
    past, failed = a_rule("invoice_past_due_for_days", x=1), a_rule("payment_failed")
    office = Office(Rulebook([past, failed], {"acme": a_company()}), guard=Allowance(max_per_hour=1))
    for number in range(120):
        account = f"a{number}"
        office.tell(
            account_event("2026-06-01 00:00", account=account), invoice_event("2026-06-01 00:00", account=account)
        )
    instant = at("2026-06-01 00:00")
    for time in ("2026-06-10 12:00", "2026-06-11 09:00", "2026-06-11 12:00", "2026-06-12 00:00", "2026-06-12 08:00"):
        while instant < at(time):
            instant = min(instant + 10 * MINUTE, at(time))
            office.run_until(instant)
        office.now += 5 * SECOND
        happened = at(time) + 2 * SECOND
        office.tell(*(a_payment(happened, account=f"a{n}", payment_id=f"p{happened}") for n in range(0, 120, 7)))
        office.run()
        kill = Switches(Kill(all=time > "2026-06-11 10:00"), Guard(open=tuple(office.told)))
        office.rulebook = Rulebook([past, failed], office.rulebook.companies, office.rulebook.offset + 1, kill)
    found, logs = left(office), dict(office.logs)
    assert {pending_of(k, v).why for k, v in found.rows.items() if b"/pending/" in k} == {"guard", "kill_switch"}
    logs[NAMES.ticks] = logs[NAMES.ticks][forgotten:]
    result = rebuilt(logs, office.rulebook, found, live=True)
    assert not result.comparison.found
    assert not result.undecided


@pytest.fixture
def office() -> Office:
    """Of live mode, with a rule of days and one of events."""
    return Office(a_rulebook(a_rule("invoice_past_due_for_days", x=1), a_rule("payment_failed")))


def pass_time(office: Office, until: str) -> None:
    while office.now < at(until):
        office.run_until(min(office.now + 10 * MINUTE, at(until)))


def open_accounts(office: Office, numbers: Iterable[int], **invoice: Any) -> None:
    """Tell of accounts with an invoice each, a day late."""
    for number in numbers:
        then, account = office.now - DAY, f"a{number}"
        office.tell(account_event(then, account=account), invoice_event(then, account=account, **invoice))
    office.run()


def fail_payments(office: Office, account: str, count: int) -> None:
    office.tell(*(a_payment(office.now, account=account, payment_id=f"p{n}") for n in range(count)))
    office.run()


def make_billing_anew(office: Office) -> None:
    """Delete the topic, and have workers go on at the beginning of the new one."""
    office.logs[NAMES.billing] = []
    commit = decode_commit(office.store.get(COMMIT_KEY) or b"")
    moved = replace(commit, positions=commit.positions | {NAMES.billing: 0})
    office.store.write({COMMIT_KEY: encode_commit(moved)}, office.store.offset)


def test_where_a_topic_was_made_anew_accounts_with_events_of_the_old_one_keep_their_rows(office: Office) -> None:
    """Some have events of both, one of them so many that it knows none of the old topic's; all others come out."""
    open_accounts(office, range(40))
    pass_time(office, "2026-06-02 00:00")
    make_billing_anew(office)
    open_accounts(office, range(35, 60), due_on="2026-05-29", grace_days=1)
    pass_time(office, "2026-06-02 00:10")
    fail_payments(office, "a39", SEEN)
    pass_time(office, "2026-06-03 12:00")
    result = rebuilt(office.logs, office.rulebook, left(office), live=True)
    assert result.kept == {f"a{number}" for number in range(40)}
    assert not result.comparison.found
    assert not result.undecided


def test_topics_that_hold_everything_tell_accounts_with_more_events_than_are_known(office: Office) -> None:
    """Also where one was read after those that are older by their time: across topics it is the first, made anew."""
    open_accounts(office, (1, 2))
    told = written(an_event("portal.contact.password_changed", office.now, contact_id="fin"))
    early = PlainRecord(NAMES.portal, 0, 0, office.now // MILLISECOND, b"a1", told)
    office.now += MINUTE
    fail_payments(office, "a1", SEEN + 20)
    office.logs[NAMES.portal].append(early)
    office.run()
    pass_time(office, "2026-06-01 01:00")
    result = rebuilt(office.logs, office.rulebook, left(office), live=True)
    assert not result.kept


def test_a_letter_of_the_topic_before_refuses_no_record_of_the_one_that_was_made_anew(office: Office) -> None:
    """Of its own records those stay refused whose publisher's clock is ahead."""
    office.tell(*(account_event(office.now, company_id="nobody") for _ in range(2)))
    pass_time(office, "2026-06-01 01:00")
    office.tell(account_event(office.now, account="a7", company_id="nobody"))
    office.run()
    make_billing_anew(office)
    open_accounts(office, (1,))
    office.tell(account_event(office.now, account="a2"))
    now, office.now = office.now, office.now + HOUR
    office.tell(a_payment(office.now))
    office.now = now
    pass_time(office, "2026-06-01 03:00")
    letters = [(letter.offset, letter.field) for letter in office.dead_letters()]
    assert letters == [*((offset, "data.company_id") for offset in range(3)), (3, "time")]
    result = rebuilt(office.logs, office.rulebook, left(office), live=True)
    assert not result.kept
    assert not result.comparison.found


def test_a_letter_says_when_its_record_was_refused_and_not_when_it_was_closed() -> None:
    letter = DeadLetter(topic=NAMES.billing, partition=0, offset=3, field="time", reason="", at="2026-06-01T00:00:00Z")
    closed = replace(letter, state="dropped", at="2026-06-02T00:00:00Z")
    place, refusal = (NAMES.billing, 3), Refusal(b"a1", parse_instant(letter.at))
    assert refusals([(b"a1", letter), (b"a1", closed)]) == {place: refusal}


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
