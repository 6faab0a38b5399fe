"""All that is wrong in a file is said in one run, each with its line and field."""

from pathlib import Path

from tests.unit.config.directories import mistakes

RULES = """\
- id: late-fee
  trigger: late_fee
- id: past-due
  trigger: invoice_past_due_for_days
  x: zero
- id: created
  trigger: user_created
  x: 1
  when:
    autopay: sometimes
- id: reminder
  trigger: invoice_due_in_days
  x: 3
  per: invoice
  when:
    company: [acmee]
    minimum_balance: {amount: 1.50, currency: USD}
    job_type: install
    color: red
  audience: {categories: []}
  channels: [sms]
  send:
    at: 9am
    window: 08:00-08:00
    weekdays: monday-friday
    skip_holidays: yes
  late: {policy: never,
    within: 3 days}
  critical: maybe
  cap: {per_recipient_per_day: 0}
  enabled: on
  enabled_at: tomorrow
  version: v2
- id: reminder
  trigger: invoice_due_in_days
  x: 5
- id: user_forgot_password
  trigger: user_forgot_password
  enabled: false
"""
EXPECTED = [
    (2, "trigger", "must be one of account_address_changed, "),
    (5, "x", "must be a whole number of days, 1 or more"),
    (8, "x", "user_created takes no x"),
    (10, "when.autopay", "must be true or false"),
    (14, "per", "invoice_due_in_days has no such option"),
    (16, "when.company[0]", "must be a company of companies.yaml: acme; did you mean acme?"),
    (17, "when.minimum_balance.amount", "must be a whole number of minor units, 0 or more"),
    (18, "when.job_type", "must be a list of texts, as [install]"),
    (19, "when.color", "unknown field; accepted: company, "),
    (20, "audience.categories", "must be a list of categories, as [financial], at least one"),
    (21, "channels[0]", "no SMS channel is configured"),
    (23, "send.at", 'must be a time of day from "00:00" to "23:59"'),
    (24, "send.window", "must not end where it begins"),
    (25, "send.weekdays", "must be one of mon, tue, "),
    (26, "send.skip_holidays", "must be true or false"),
    (27, "late.policy", "must be one of send, latest_only, skip"),
    (28, "late.within", "must be a whole number of d, h, m or s"),
    (29, "critical", "must be true or false"),
    (30, "cap.per_recipient_per_day", "must be a whole number, 1 or more"),
    (31, "enabled", "must be true or false"),
    (32, "enabled_at", "must be an instant with an offset"),
    (33, "version", "must be a whole number, 1 or more"),
    (34, "id", '"reminder" is in line 11 already; it may occur again only with a later enabled_at'),
    (39, "enabled", "user_forgot_password is built in: it can be changed, but not disabled"),
]


def test_a_file_with_two_dozen_mistakes_gives_two_dozen_messages_with_line_and_field(tmp_path: Path) -> None:
    found = mistakes(tmp_path, RULES)
    assert len(found) == len(EXPECTED)
    for said, (line, field, reason) in zip(found, EXPECTED, strict=True):
        assert said.startswith(f"rules.yaml:{line}: {field}: {reason}")
