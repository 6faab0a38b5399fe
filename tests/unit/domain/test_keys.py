"""Subjects, dedup keys and row keys (DOMAIN.md, section 3.1)."""

from hypothesis import given
from hypothesis import strategies as st

from app.domain import keys

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def test_a_subject_separates_its_parts_by_colons_alone() -> None:
    assert keys.subject("invoice", "a:b|c d", "2026-06-10", 7) == "invoice:a%3Ab%7Cc%20d:2026-06-10:7"


def test_what_stands_for_itself_in_a_subject() -> None:
    assert keys.subject("event", "AZaz09-._~/@+#", "é%") == "event:AZaz09-._~/@+#:%C3%A9%25"


def test_a_dedup_key_encodes_each_part_but_the_subject() -> None:
    about = keys.subject("invoice", "i|1")
    assert keys.dedup_key("r|1", "a 1", about, "c:1", "email") == "r%7C1|a%201|invoice:i%7C1|c%3A1|email"


@given(values=st.lists(TEXT, min_size=1, max_size=4), others=st.lists(TEXT, min_size=1, max_size=4))
def test_different_parts_make_different_subjects(values: list[str], others: list[str]) -> None:
    assert (keys.subject("s", *values) == keys.subject("s", *others)) == (values == others)


@given(rule=TEXT, account=TEXT, recipient=TEXT)
def test_account_and_recipient_can_be_read_back_out_of_a_dedup_key(rule: str, account: str, recipient: str) -> None:
    key = keys.dedup_key(rule, account, keys.subject("account", account), recipient, "email")
    assert keys.recipient_of(key) == recipient
    assert keys.owner_of(key) == account


@given(account=TEXT, other=TEXT)
def test_no_account_s_rows_lie_among_another_s(account: str, other: str) -> None:
    row = keys.item_row(account, "invoice", "i1")
    assert row.startswith(keys.account_prefix(account))
    assert row.startswith(keys.account_prefix(other)) == (account == other)


@given(account=TEXT, rule=TEXT, about=TEXT)
def test_the_account_can_be_read_back_out_of_a_row_s_key(account: str, rule: str, about: str) -> None:
    subject = keys.subject("invoice", about)
    for key, table in (
        (keys.account_row(account), "account"),
        (keys.seen_row(account), "account"),
        (keys.item_row(account, "invoice", about), "account"),
        (keys.pending_row(account, rule, subject), "account"),
        (keys.decided_row(account, rule, subject), "decided"),
    ):
        assert keys.parse_row(key)[:2] == (table, account)
    assert keys.account_of_row(keys.row_account(account)) == account


@given(company=TEXT)
def test_a_company_s_zone_is_told_from_an_iana_zone(company: str) -> None:
    assert keys.company_of_zone(keys.company_zone(company)) == company
    assert "|" not in keys.company_zone(company)


def test_an_iana_zone_is_no_company_s() -> None:
    assert keys.company_of_zone("America/Argentina/Buenos_Aires") is None
    assert keys.company_of_zone("company") is None
