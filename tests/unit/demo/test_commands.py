import subprocess
from pathlib import Path

import pytest

from app.dev.demo.commands import commands
from app.dev.demo.plan import Plan
from app.dev.demo.setting_up import CONFIG
from app.domain.rules import Rule
from tests.unit.demo.lines import a_line

RULES = [
    Rule(id="first-invoice", trigger="initial_invoice"),
    Rule(id="past-due-7", trigger="invoice_past_due_for_days", x=7),
    Rule(id="past-due-14", trigger="invoice_past_due_for_days", x=14),
]


def a_plan(directory: Path = Path(".demo")) -> Plan:
    return Plan(directory, accounts=5, days=20, seed=7, day_seconds=0.1)


def test_the_mail_asked_about_is_of_the_account_with_the_most_to_tell() -> None:
    lines = [a_line("a1"), a_line("a1", subject="s2"), a_line("a2"), a_line("a2", outcome="skipped", reason="late")]
    why, *_ = commands(a_plan(), "127.0.0.1:9092", lines, RULES)
    assert why.asks == "Why did a2 get past-due-7 on 10 Jun, and what did it not get?"
    assert why.lines[0].startswith("WHIMBREL_KAFKA=127.0.0.1:9092 ")
    assert why.lines[0].endswith("whimbrel decisions --account a2")


def test_of_a_login_nothing_is_asked() -> None:
    logins = [a_line() | {"account_id": None, "rule": "user_created", "outcome": each} for each in ("sent", "skipped")]
    why, *_ = commands(a_plan(), "127.0.0.1:9092", [*logins, a_line("a2")], RULES)
    assert why.asks.startswith("Why did a2 get past-due-7")


def test_the_rule_to_change_is_the_one_with_an_x_that_sent_most() -> None:
    lines = [a_line(), *(a_line(f"a{number}", rule="first-invoice") for number in range(9))]
    _, what_if, _ = commands(a_plan(), "127.0.0.1:9092", lines, RULES)
    assert what_if.asks == "What if past-due-7 had X = 10 instead of 7?"


def test_without_any_mail_there_is_still_simulate() -> None:
    *_, last = commands(a_plan(), "127.0.0.1:9092", [], [])
    command, times, *_ = last.lines
    assert command.endswith("whimbrel simulate --config .demo/config --events .demo/history.jsonl \\")
    assert times == "--from 2026-06-01T00:00:00Z --until 2026-06-21T00:00:00Z \\"


def test_the_change_is_made_in_the_one_rule_alone(tmp_path: Path) -> None:
    plan = a_plan(tmp_path / "it's here")
    for directory in (plan.config, plan.what_if):
        directory.mkdir(parents=True)
    rules = (CONFIG / "rules.yaml").read_text(encoding="utf-8")
    (plan.config / "rules.yaml").write_text(rules, encoding="utf-8")
    _, what_if, _ = commands(plan, "127.0.0.1:9092", [a_line()], RULES)
    subprocess.run(["sh", "-c", what_if.lines[0]], check=True)
    changed = (plan.what_if / "rules.yaml").read_text(encoding="utf-8")
    pairs = zip(rules.splitlines(), changed.splitlines(), strict=True)
    assert [pair for pair in pairs if pair[0] != pair[1]] == [("  x: 7", "  x: 10")]


@pytest.mark.parametrize("account", ["a b", "a'b", "$(x)"])
def test_an_odd_account_id_is_quoted(account: str) -> None:
    why, *_ = commands(a_plan(), "127.0.0.1:9092", [a_line(account)], RULES)
    said = subprocess.run(
        ["sh", "-c", f'set -- {why.lines[0].partition(" ")[2]}; printf %s "$4"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == account
