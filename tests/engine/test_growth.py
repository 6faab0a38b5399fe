"""Accounts on their way to another partition: every moment comes up once, wherever the two partitions' clocks stand."""

from collections import Counter

import pytest

from app.contract.instants import MINUTE, SECOND, Instant
from app.domain import keys
from app.domain.book import account_of, pack
from app.domain.rules import Rulebook
from app.engine.parked import Parked
from app.engine.records import COMMIT_KEY, Commit, Cursor, decode_commit, encode_commit
from app.engine.totals import ROW, Totals
from app.growth.placing import (
    first_commit,
    lowest,
    misplaced,
    owner_of_attempt,
    owner_of_book_row,
    totals_of,
    with_own_clocks,
)
from app.streams.partitioner import partition_of
from tests.builders import a_company, a_payment, a_rule, account_event, an_account, at, invoice_event
from tests.engine.office import Office

NINE = at("2026-06-11 09:00")
COUNT = 30
PAST = a_rule("invoice_past_due_for_days", x=1)
FAILED = a_rule("payment_failed")


def an_office(rulebook: Rulebook) -> Office:
    return Office(rulebook)


def told_in(offices: list[Office], *events: dict[str, object]) -> None:
    """Facts lie where the default partitioner puts them."""
    for event in events:
        offices[partition_of(str(event["subject"]), len(offices))].tell(event)


def commit_of(office: Office) -> Commit:
    return decode_commit(office.store.get(COMMIT_KEY) or b"")


def grown(offices: list[Office], rulebook: Rulebook) -> list[Office]:
    """One office more, the accounts moved as `whimbrel topics grow` moves them."""
    commits = {number: commit_of(office) for number, office in enumerate(offices)}
    cursor = lowest(commits)
    new = an_office(rulebook)
    new.now = max(office.now for office in offices)
    new.store.write({COMMIT_KEY: encode_commit(first_commit("j", dict.fromkeys(new.logs, 0), cursor, commits))}, -1)
    for number, office in enumerate(offices):
        own = commits[number].cursor
        assert own is not None
        office.store.write(dict(with_own_clocks(dict(office.store.scan(b"")), own.instant + 1)), office.store.offset)
        lowered = Commit(
            incarnation="i", positions=commits[number].positions, cursor=cursor, live_since=commits[number].live_since
        )
        office.store.write({COMMIT_KEY: encode_commit(lowered)}, office.store.offset)
    more = [*offices, new]
    for number, office in enumerate(offices):
        moving = misplaced(dict(office.store.scan(b"")), owner_of_book_row, number, len(more))
        for there, rows in moving.items():
            more[there].store.write(rows, more[there].store.offset)
            office.store.write(dict.fromkeys(rows), office.store.offset)
    return more


@pytest.mark.parametrize("later", [NINE - 10 * SECOND, NINE, NINE + 5 * SECOND, NINE + 20 * MINUTE])
def test_two_partitions_grow_to_three_and_each_moment_comes_up_once(later: Instant) -> None:
    """One clock stands before the moment, the other wherever it likes."""
    rulebook = Rulebook([PAST, FAILED], {"acme": a_company()})
    offices = [an_office(rulebook), an_office(rulebook)]
    accounts = [f"a{number}" for number in range(COUNT)]
    for account in accounts:
        told_in(offices, account_event("2026-06-01 00:00", account=account))
        told_in(offices, invoice_event("2026-06-01 00:00", account=account))
    offices[0].run_until(NINE - 10 * SECOND)
    offices[1].run_until(later)
    moved = grown(offices, rulebook)
    for office in moved:
        office.now = NINE + 25 * MINUTE
    told_in(moved, *(a_payment(NINE + 24 * MINUTE, account=account) for account in accounts))
    for office in moved:
        office.run_until(NINE + 26 * MINUTE)
    decided = [decision for office in moved for decision in office.decisions()]
    assert Counter((decision["rule"], decision["account_id"]) for decision in decided) == Counter(
        (rule.id, account) for rule in (PAST, FAILED) for account in accounts
    )
    assert {decision["outcome"] for decision in decided} == {"sent"}
    known = [totals_of(dict(office.store.scan(b""))).known for office in moved]
    assert sum(known) == COUNT
    assert all(known)


def test_a_row_goes_where_its_account_goes_and_the_partitions_own_stay() -> None:
    owned = {
        keys.account_row("a/1"): "a/1",
        keys.account_row(keys.user_book("u 1")): "u 1",
        keys.item_row("a1", "invoice", "i/1"): "a1",
        keys.decided_row("a1", "r", "s"): "a1",
        keys.cap_row("a1", "c"): "a1",
        b"parked/a1/": "a1",
        ROW: None,
        b"guard/sent/r": None,
        b"guard/trip/r|1": None,
        b"letters/hour/": None,
    }
    assert {key: owner_of_book_row(key) for key in owned} == owned
    attempt = b"attempt/" + keys.dedup_key("r", "a|1", "s", "c", "email").encode()
    assert owner_of_attempt(attempt) == "a|1"
    assert owner_of_attempt(b"marks") is None


def test_an_account_s_own_clock_is_written_down_where_it_is_behind_but_not_of_one_that_is_parked() -> None:
    done = at("2026-06-01 00:00")
    rows = {keys.account_row(account): pack(an_account(account, done=done)) for account in ("a1", "a2", "a3")}
    rows[keys.account_row("a3")] = pack(an_account("a3", done=NINE + 1))
    rows[b"parked/a2/"] = pack(Parked(done, "handler", 0))
    written = dict(with_own_clocks(rows, NINE))
    assert {key: account_of(key, value).done for key, value in written.items()} == {keys.account_row("a1"): NINE}


def test_a_new_partition_begins_at_the_earliest_cursor_and_is_live_since_the_last() -> None:
    old = {
        0: Commit(incarnation="i", positions={}, cursor=Cursor(NINE, NINE), live_since=5),
        1: Commit(incarnation="i", positions={}, cursor=Cursor(NINE - 1, NINE - 1), live_since=7),
    }
    commit = first_commit("j", {"t": 0}, lowest(old), old)
    assert (commit.cursor, commit.live_since, commit.outputs) == (Cursor(NINE - 1, NINE - 1), 7, ())
    assert lowest(old | {2: Commit(incarnation="i", positions={})}) == lowest(old)


def test_what_is_held_is_counted_where_it_is() -> None:
    assert totals_of({}) == Totals()
