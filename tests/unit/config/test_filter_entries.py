from pathlib import Path

import pytest

from app.domain.rules import Filters
from app.triggers import REGISTRY
from tests.unit.config.directories import COMPANIES, mistakes, rules_of

ALL = """\
- id: a
  trigger: job_scheduled
  when:
    company: [acme]
    account_type: [residential, 007]
    account_status: [Active]
    account_group: [rural, NO]
    autopay: true
    minimum_balance: {amount: 500, currency: USD}
    include_child_accounts: false
    job_type: [install]
"""


def when_of(path: Path, when: str, trigger: str = "payment_failed") -> Filters:
    return rules_of(path, f"- {{id: a, trigger: {trigger}, when: {when}}}")[0].when


def test_every_filter_is_read(tmp_path: Path) -> None:
    assert rules_of(tmp_path, ALL)[0].when == Filters(
        company=("acme",),
        account_type=("residential", "007"),
        account_status=("Active",),
        account_group=("rural", "NO"),
        autopay=True,
        minimum_amount=500,
        minimum_currency="USD",
        include_child_accounts=False,
        job_type=("install",),
    )


@pytest.mark.parametrize(
    "when", ["{}", "null", "{company: ~, minimum_balance: null}", "{include_child_accounts: true}"]
)
def test_filters_that_ask_for_nothing_are_none(tmp_path: Path, when: str) -> None:
    assert when_of(tmp_path, when) == Filters()


def test_autopay_false_is_a_filter(tmp_path: Path) -> None:
    assert when_of(tmp_path, "{autopay: false}") == Filters(autopay=False)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("[acme]", "when: must be fields, as {company: [acme], autopay: false} (found a list)"),
        ("{company: acme}", 'when.company: must be a list of companies\' ids, as [acme] (found "acme")'),
        (
            "{company: [acmee]}",
            'when.company[0]: must be a company of companies.yaml: acme; did you mean acme? (found "acmee")',
        ),
        ("{company: [acme, other]}", 'when.company[1]: must be a company of companies.yaml: acme (found "other")'),
        ("{company: [[acme]]}", "when.company[0]: must be a text on one line, 1 to 200 characters, no spaces around"),
        ("{account_type: residential}", "when.account_type: must be a list of texts, as [residential] (found"),
        ("{account_status: []}", "when.account_status: must be a list of texts, as [Active], at least one; leave the"),
        ("{account_group: [' rural']}", "when.account_group[0]: must be a text on one line, 1 to 200 characters, no "),
        ("{autopay: yes}", 'when.autopay: must be true or false (found "yes")'),
        ("{include_child_accounts: no}", 'when.include_child_accounts: must be true or false (found "no")'),
        ("{minimum_balance: 500}", "when.minimum_balance: must be fields, as {amount: 500, currency: USD} (found"),
        (
            "{minimum_balance: {amount: 5.00, currency: USD}}",
            'when.minimum_balance.amount: must be a whole number of minor units, 0 or more (found "5.00")',
        ),
        (
            "{minimum_balance: {amount: 9007199254740992, currency: USD}}",
            "when.minimum_balance.amount: must be a whole number of minor units, 0 or more, at most 9007199254740991",
        ),
        (
            "{minimum_balance: {currency: USD}}",
            "when.minimum_balance.amount: missing: must be a whole number of minor units, 0 or more",
        ),
        (
            "{minimum_balance: {amount: 5, currency: usd}}",
            'when.minimum_balance.currency: must be an ISO 4217 currency, as USD; did you mean USD? (found "usd")',
        ),
        (
            "{minimum_balance: {amount: 5, currency: [USD]}}",
            "when.minimum_balance.currency: must be an ISO 4217 currency, as USD (found a list)",
        ),
        (
            "{minimum_balance: {amount: 5}}",
            "when.minimum_balance.currency: missing: must be an ISO 4217 currency, as USD",
        ),
        ("{balance: 5}", "when.balance: unknown field; accepted: company, account_type, account_status, account_group"),
    ],
)
def test_a_filter_that_cannot_be_is_refused_with_what_is_accepted(tmp_path: Path, when: str, expected: str) -> None:
    found = mistakes(tmp_path, f"- id: a\n  trigger: payment_failed\n  when: {when}\n")
    assert len(found) == 1
    assert found[0].startswith(f"rules.yaml:3: {expected}")


@pytest.mark.parametrize("trigger", sorted(REGISTRY))
def test_every_filter_may_be_asked_of_every_trigger(tmp_path: Path, trigger: str) -> None:
    """Where it knows nothing of it, it does not hold (DOMAIN.md, section 5)."""
    x = "x: 1, " if REGISTRY[trigger].x_min is not None else ""
    when = "{autopay: false, minimum_balance: {amount: 0, currency: USD}, job_type: [install]}"
    rules = rules_of(tmp_path, f"- {{id: a, trigger: {trigger}, {x}when: {when}}}")
    assert rules[0].when == Filters(autopay=False, minimum_amount=0, minimum_currency="USD", job_type=("install",))


RULE_OF_OTHER = "- {id: a, trigger: payment_failed, when: {company: [other]}}"


def test_without_companies_no_rule_can_name_one(tmp_path: Path) -> None:
    assert mistakes(tmp_path, RULE_OF_OTHER, "[]") == [
        'rules.yaml:1: when.company[0]: must be a company of companies.yaml: none (found "other")'
    ]


@pytest.mark.parametrize("companies", ["companies: []", COMPANIES + "- {id: , name: Other}\n"])
def test_where_companies_cannot_be_read_no_rule_is_blamed_for_it(tmp_path: Path, companies: str) -> None:
    assert all(mistake.startswith("companies.yaml:") for mistake in mistakes(tmp_path, RULE_OF_OTHER, companies))


def test_a_company_with_another_mistake_is_known_all_the_same(tmp_path: Path) -> None:
    companies = COMPANIES + "- {id: other, name: Other}\n"
    assert all(mistake.startswith("companies.yaml:") for mistake in mistakes(tmp_path, RULE_OF_OTHER, companies))
