from pathlib import Path

import pytest

from app.contract.instants import DAY, HOUR, MINUTE, SECOND, parse_instant
from app.domain.rules import Filters, Hours, Late, Rule
from tests.unit.config.directories import RULES, mistakes, rules_of


def test_a_rule_with_everything_is_read(tmp_path: Path) -> None:
    text = """
- id: delinquent
  trigger: account_becomes_delinquent
  per: invoice
  when: {company: [acme], autopay: false}
  audience: {categories: [financial, general]}
  channels: [email]
  template: firm
  send: {at: 10:30, window: 08:00-20:00, weekdays: mon-sat, skip_holidays: true}
  late: {policy: latest_only, within: 12h}
  critical: true
  cap: {per_recipient_per_day: 2}
  enabled: false
  enabled_at: 2026-06-01T02:00:00+02:00
  version: 3
"""
    assert rules_of(tmp_path, text) == (
        Rule(
            id="delinquent",
            trigger="account_becomes_delinquent",
            categories=("financial", "general"),
            template="firm",
            send_at="10:30",
            late=Late("latest_only", 12 * HOUR),
            per="invoice",
            when=Filters(company=("acme",), autopay=False),
            hours=Hours(window=(480, 1200), weekdays=(0, 1, 2, 3, 4, 5), skip_holidays=True),
            critical=True,
            cap=2,
            enabled=False,
            enabled_at=parse_instant("2026-06-01T00:00:00Z"),
            version=3,
        ),
    )


def test_a_rule_with_the_least_has_the_defaults(tmp_path: Path) -> None:
    assert rules_of(tmp_path, RULES) == (Rule(id="past-due-7", trigger="invoice_past_due_for_days", x=7),)


def test_null_is_as_absent(tmp_path: Path) -> None:
    text = "- {id: a, trigger: payment_failed, x: null, audience: ~, send: {at: }, late: null, cap: ~, enabled: ~}"
    assert rules_of(tmp_path, text) == (Rule(id="a", trigger="payment_failed"),)


@pytest.mark.parametrize("rule_id", ["007", "NO", "10:30", "true", "1e3", "fällig in 3|: Tagen"])
def test_an_id_is_what_it_looks_like(tmp_path: Path, rule_id: str) -> None:
    quoted = f'"{rule_id}"' if "|" in rule_id else rule_id
    assert rules_of(tmp_path, f"- {{id: {quoted}, trigger: payment_failed}}")[0].id == rule_id


@pytest.mark.parametrize(("text", "within"), [("3d", 3 * DAY), ("90m", 90 * MINUTE), ("30s", 30 * SECOND)])
def test_within_is_written_with_its_unit(tmp_path: Path, text: str, within: int) -> None:
    rule = rules_of(tmp_path, f"- {{id: a, trigger: payment_failed, late: {{within: {text}}}}}")[0]
    assert rule.late == Late("send", within)


def test_an_id_may_occur_again_as_a_later_version(tmp_path: Path) -> None:
    text = """
- {id: p, trigger: invoice_past_due_for_days, x: 3}
- {id: p, trigger: invoice_past_due_for_days, x: 5, enabled_at: 2026-06-16T12:00:00Z}
- {id: p, trigger: invoice_past_due_for_days, x: 6, enabled_at: 2026-07-16T12:00:00Z, version: 7}
"""
    assert [(rule.x, rule.version) for rule in rules_of(tmp_path, text)] == [(3, 1), (5, 2), (6, 7)]


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("x: 3", "x: payment_failed takes no x"),
        ("per: invoice", "per: payment_failed has no such option"),
        ("audience: [a]", "audience: must be fields, as {categories: [financial]} (found a list)"),
        ("audience: {categories: a}", 'audience.categories: must be a list of categories, as [financial] (found "a")'),
        (
            "audience: {categories: []}",
            "must be a list of categories, as [financial], at least one; leave the field away for its default",
        ),
        (
            "audience: {categories: [[a]]}",
            "categories[0]: must be a text on one line, 1 to 200 characters, no spaces around it (found a list)",
        ),
        ("channels: [sms]", 'channels[0]: no SMS channel is configured; must be one of email (found "sms")'),
        ("channels: [fax]", 'channels[0]: must be one of email (found "fax")'),
        ("channels: [email, email]", "channels: must name each channel once"),
        (
            'template: " a"',
            'template: must be a text on one line, 1 to 200 characters, no spaces around it (found the text " a")',
        ),
        ("critical: 1", 'critical: must be true or false (found "1")'),
        ("cap: 2", 'cap: must be fields, as {per_recipient_per_day: 2} (found "2")'),
        ("cap: {}", "cap.per_recipient_per_day: missing: must be a whole number, 1 or more"),
        (
            "cap: {per_recipient_per_day: 0}",
            'cap.per_recipient_per_day: must be a whole number, 1 or more (found "0")',
        ),
        ("cap: {per_recipient_per_day: 1, per_week: 2}", "per_week: unknown field; accepted: per_recipient_per_day"),
        ("late: skip", 'late: must be fields, as {policy: send, within: 3d} (found "skip")'),
        (
            "late: {policy: latest}",
            'late.policy: must be one of send, latest_only, skip; did you mean latest_only? (found "latest")',
        ),
        (
            "late: {within: 3 days}",
            'late.within: must be a whole number of d, h, m or s, as 3d or 12h, at most 400d (found "3 days")',
        ),
        (
            "late: {within: 401d}",
            'late.within: must be a whole number of d, h, m or s, as 3d or 12h, at most 400d (found "401d")',
        ),
        (
            "late: {within: [3d]}",
            "late.within: must be a whole number of d, h, m or s, as 3d or 12h, at most 400d (found a list)",
        ),
        ("enabled: yes", 'enabled: must be true or false (found "yes")'),
        ("enabled: 'true'", 'enabled: must be true or false (found the text "true")'),
        (
            "enabled_at: 2026-06-01",
            'enabled_at: must be an instant with an offset, as 2026-06-01T00:00:00Z (found "2026-06-01")',
        ),
        ("version: 0", 'version: must be a whole number, 1 or more (found "0")'),
        ("version: {}", "version: must be a whole number, 1 or more (found fields)"),
        (f"template: {'t' * 300}", f'200 characters, no spaces around it (found "{"t" * 60}…")'),
        ("template: a\n  template: b", "template: given twice, first in line 3"),
    ],
)
def test_a_field_that_cannot_be_says_what_it_accepts(tmp_path: Path, option: str, expected: str) -> None:
    found = mistakes(tmp_path, f"- id: a\n  trigger: payment_failed\n  {option}\n")
    assert len(found) == 1
    assert found[0].startswith("rules.yaml:")
    assert found[0].endswith(expected)


@pytest.mark.parametrize("x", ["seven", "0", "-1", "1.0", "1_0", "007", "0x7", "'7'", "true", "[7]"])
def test_an_x_is_a_whole_number_of_its_trigger_s_least_or_more(tmp_path: Path, x: str) -> None:
    found = mistakes(tmp_path, f"- id: a\n  trigger: invoice_past_due_for_days\n  x: {x}\n")
    assert [mistake.split(" (found")[0] for mistake in found] == [
        "rules.yaml:3: x: must be a whole number of days, 1 or more"
    ]


def test_an_x_that_leaves_the_calendar_is_refused(tmp_path: Path) -> None:
    assert mistakes(tmp_path, "- {id: a, trigger: invoice_due_in_days, x: 10000}") == [
        'rules.yaml:1: x: must be a whole number of days, 0 or more, at most 9999 (found "10000")'
    ]


@pytest.mark.parametrize("x", ["", "x: ~"])
def test_a_trigger_that_takes_an_x_needs_it(tmp_path: Path, x: str) -> None:
    assert [m.split(": ", 1)[1] for m in mistakes(tmp_path, f"- id: a\n  trigger: invoice_due_in_days\n  {x}\n")] == [
        "x: missing: must be a whole number of days, 0 or more"
    ]


def test_an_unknown_trigger_suggests_the_nearest(tmp_path: Path) -> None:
    found = mistakes(tmp_path, "- {id: a, trigger: invoice_due_in_day, per: invoice, when: {job_type: [x]}}")
    assert len(found) == 1
    assert found[0].endswith('; did you mean invoice_due_in_days? (found "invoice_due_in_day")')


def test_an_id_is_needed_and_two_without_are_no_repetition(tmp_path: Path) -> None:
    found = mistakes(tmp_path, "- {trigger: payment_failed}\n- {id: , trigger: payment_failed}\n")
    assert [mistake.split(": must")[0] for mistake in found] == [
        "rules.yaml:1: id: missing",
        "rules.yaml:2: id: missing",
    ]


@pytest.mark.parametrize(
    ("first", "again", "expected"),
    [
        ("", "", ["id: {} enabled_at"]),
        ("", "version: 4", ["id: {} enabled_at"]),
        ("enabled_at: 2026-06-01T00:00:00Z", "", ["id: {} enabled_at"]),
        (
            "enabled_at: 2026-06-01T00:00:00Z",
            "enabled_at: 2026-06-01T02:00:00+02:00",
            ["enabled_at: {} enabled_at"],
        ),
        (
            "version: 2",
            "enabled_at: 2026-06-01T02:00:00+02:00, version: 2",
            ["version: {} version, more than 2"],
        ),
    ],
)
def test_an_id_may_not_occur_again_unless_it_is_later(
    tmp_path: Path, first: str, again: str, expected: list[str]
) -> None:
    rules = f"- {{id: a, trigger: payment_failed, {first}}}\n- {{id: a, trigger: payment_failed, {again}}}\n"
    said = '"a" is in line 1 already; it may occur again only with a later'
    assert mistakes(tmp_path, rules) == [f"rules.yaml:2: {line.format(said)}" for line in expected]
