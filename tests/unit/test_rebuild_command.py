"""What `whimbrel rebuild` says: keys and names of fields, never what they hold."""

import json

from app.cli.rebuild import Found, as_json, as_text
from app.domain import keys
from app.domain.book import pack
from app.rebuild.difference import Comparison
from app.rebuild.judge import Undecided
from app.rebuild.partition import Result
from tests.builders import an_account, an_invoice, at, some_details


def found(*, switched: bool = False) -> Found:
    row, invoice = keys.account_row("a1"), keys.item_row("a1", "invoice", "i1")
    old = {row: pack(an_account(details=some_details(name="Ann Secret"))), invoice: pack(an_invoice())}
    new = {
        row: pack(an_account(details=some_details(name="Ben Secret"))),
        keys.item_row("a1", "invoice", "i2"): pack(an_invoice("i2")),
    }
    undecided = Undecided("a1", "past-due-7", "invoice:i1:2026-06-10:7", at("2026-06-17 09:00"))
    comparison = Comparison(old, new, lambda account: 0, {})
    return Found({3: Result(comparison, frozenset({"a7"}), 2, (undecided,), 12)}, switched)


def test_for_people_differences_stand_by_table_and_the_first_by_name() -> None:
    said = as_text(found())
    assert "12 facts of 1 partitions read" in said
    assert "differs: partition 3, account/a1/: details" in said
    assert "only old: partition 3, account/a1/invoice/i1" in said
    assert "only new: partition 3, account/a1/invoice/i2" in said
    assert "1 accounts keep their rows" in said
    assert "2 decisions stay made" in said
    assert "past-due-7 a1 invoice:i1:2026-06-10:7 at 2026-06-17T13:00:00Z" in said
    assert said.endswith("3 rows differ: nothing changed; --switch puts the rebuilt rows in place")
    assert "Secret" not in said
    assert as_text(found(switched=True)).endswith("3 rows differ: put in place")


def test_for_programs_every_row_is_named() -> None:
    answer = json.loads(as_json(found()))
    assert answer["tables"]["invoices"] == {"equal": 0, "differs": 0, "only old": 1, "only new": 1}
    assert len(answer["rows"]) == 3
    assert answer["kept_decisions"] == 2
    assert answer["kept_accounts"] == len(answer["undecided"]) == 1
    assert "Secret" not in as_json(found())
