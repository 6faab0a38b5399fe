"""`whimbrel templates`: lists, tables, previews and test sends; and `config check`, which refuses unknown variables."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli.config import config_app
from app.cli.templates import templates_app
from app.delivery.check import check_template
from app.delivery.message import AddressError
from app.delivery.render import Renderer
from app.delivery.trial import MARK, NoMailError, for_test
from app.dev.mailbox import Mailbox
from app.dev.previews import VARIABLES
from app.errors import WhimbrelError
from app.triggers import REGISTRY

RUNNER = CliRunner()
COMPANY = """
- id: acme
  name: Acme Fiber
  from: {name: Acme Billing, address: billing@acme.example}
  reply_to: help@acme.example
  locale: en_US
  time_zone: America/Chicago
"""
RULES = """
- {id: past-due-7, trigger: invoice_past_due_for_days, x: 7}
- {id: card-1, trigger: credit_card_expiring, x: 1, enabled: false}
- {id: visits, trigger: job_scheduled, send: {window: "08:00-20:00"}}
- {id: visits, trigger: job_scheduled, send: {window: "10:00-20:00"}, enabled_at: 2026-06-05T00:00:00Z}
- {id: of-businesses, trigger: payment_failed, when: {account_type: [business]}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    (tmp_path / "companies.yaml").write_text(COMPANY, encoding="utf-8")
    return tmp_path


def line(type_: str, subject: str = "a1", time: str = "2026-06-01T11:00:00Z", **data: Any) -> str:
    attributes = {"specversion": "1.0", "id": f"{type_}@{time}", "source": "/billing", "type": type_}
    return json.dumps(attributes | {"subject": subject, "time": time, "data": data}) + "\n"


ANN = {"contact_id": "c1", "name": "Ann", "email": "ann@mail.example", "categories": ["financial", "general"]}
JOSE = {"contact_id": "c2", "name": "José", "email": "jose@mail.example", "language": "es", "categories": ["financial"]}
ACCOUNT = line(
    "billing.account.updated",
    time="2026-06-01T10:00:00Z",
    account_id="a1",
    company_id="acme",
    name="Miller",
    status={"name": "Active", "activates": True},
    contacts=[ANN, JOSE],
)
CARD = line("billing.card.updated", card_id="k", brand="visa", last4="4242", expires="2030-11", autopay=True)
JOB = line(
    "jobs.job.scheduled",
    time="2026-06-02T03:00:00Z",
    job_id="j",
    job_type="install",
    starts_at="2026-06-16T14:00:00Z",
    ends_at="2026-06-16T16:00:00Z",
    technician={"id": "t", "name": "Sam"},
)
FAILED = line(
    "billing.payment.failed",
    payment_id="p",
    attempt=1,
    amount=100,
    currency="USD",
    method={"kind": "card"},
    autopay=True,
    reason="declined",
)
RESET = line(
    "portal.user.password_reset_requested",
    subject="u1",
    user={"user_id": "u1", "name": "Ann", "email": "ann@mail.example", "language": "es", "company_id": "acme"},
    reset_url="https://my.acme.example/reset?token=42",
    expires_at="2026-06-01T13:00:00Z",
)


def invoice(number: str, due_on: str) -> str:
    whole: dict[str, Any] = {
        "invoice_id": number,
        "account_id": "a1",
        "number": number,
        "currency": "USD",
        "grace_days": 10,
    }
    return line(
        "billing.invoice.issued",
        time=f"2026-06-01T11:00:{int(number):02}Z",
        **whole,
        total=8450,
        balance=8450,
        issued_on="2026-06-01",
        due_on=due_on,
    )


def preview(config: Path, rule: str, *lines: str, more: Sequence[str] = ()) -> Result:
    events = config / "events.jsonl"
    events.write_text("".join(lines), encoding="utf-8")
    out = ["--out", str(config / "out")]
    return RUNNER.invoke(templates_app, ["preview", rule, "--event", str(events), "--config", str(config), *out, *more])


def test_a_day_rule_is_shown_as_of_its_day_in_each_recipients_language(config: Path) -> None:
    result = preview(config, "past-due-7", ACCOUNT, invoice("1", "2026-06-15"))
    assert result.exit_code == 0
    assert result.stdout.count("At:       2026-06-22T14:00:00Z") == 2
    assert "Subject:  Past due: invoice 1, $84.50" in result.stdout
    assert "Subject:  Factura vencida: 1, $84.50" in result.stdout
    html = (config / "out" / "past-due-7-2.html").read_text(encoding="utf-8")
    assert "Hola, José:" in html


def test_the_event_is_what_is_shown_and_not_what_comes_up_before_it(config: Path) -> None:
    result = preview(config, "past-due-7", ACCOUNT, invoice("1", "2026-06-10"), invoice("2", "2026-06-15"))
    assert "Past due: invoice 2" in result.stdout
    assert "invoice 1" not in result.stdout


def test_earlier_events_can_be_in_a_file_of_their_own_and_the_language_can_be_chosen(config: Path) -> None:
    account = config / "account.jsonl"
    account.write_text(ACCOUNT, encoding="utf-8")
    more = ["--account-events", str(account), "--language", "es"]
    result = preview(config, "card-1", CARD, more=more)
    assert result.stdout.count("Su Visa terminada en 4242 vence el 30 de noviembre de 2030") == 2


def test_a_rule_holds_what_it_would_hold_and_its_newest_version_counts(config: Path) -> None:
    assert "At:       2026-06-02T15:00:00Z" in preview(config, "visits", ACCOUNT, JOB).stdout


def test_a_users_event_needs_no_account(config: Path) -> None:
    result = preview(config, "user_forgot_password", RESET)
    assert "https://my.acme.example/reset?token=42" in result.stdout
    mail = message_from_bytes((config / "out" / "user_forgot_password-1.eml").read_bytes(), policy=policy.default)
    assert mail["Subject"] == "Restablezca su contraseña de Acme Fiber"
    assert mail["List-Unsubscribe"] is None


@pytest.mark.parametrize(
    ("rule", "lines", "why"),
    [
        ("of-businesses", (ACCOUNT, FAILED), "sends nothing: its moment 2026-06-01T11:00:00Z is skipped: filtered"),
        ("past-due-7", (ACCOUNT, FAILED), "nothing comes up for past-due-7"),
        ("nobody", (ACCOUNT, FAILED), "there is no rule nobody; there are: card-1,"),
        ("past-due-7", (ACCOUNT, "{}\n"), "the event breaks the contract: "),
        ("past-due-7", (line("billing.moon.full"),), "the event is not in the contract: "),
        ("past-due-7", ("\n",), "holds no event"),
    ],
)
def test_where_nothing_is_sent_it_says_why(config: Path, rule: str, lines: tuple[str, ...], why: str) -> None:
    result = preview(config, rule, *lines)
    assert isinstance(result.exception, WhimbrelError)
    assert why in str(result.exception)


def test_templates_are_listed_with_their_languages_and_where_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for template, language in (("past-due", "fr"), ("past-due", "en"), ("user_created", "en")):
        folder = tmp_path / template / language
        folder.mkdir(parents=True)
        (folder / "subject.txt").write_text("s", encoding="utf-8")
    monkeypatch.setenv("WHIMBREL_TEMPLATES", str(tmp_path))
    rows = [row.split() for row in RUNNER.invoke(templates_app, ["list"]).stdout.splitlines()]
    assert rows[0] == ["template", "built", "in", str(tmp_path)]
    assert ["past-due", "en,", "fr"] in rows
    assert ["user_created", "en,", "es", "en"] in rows
    assert {row[0] for row in rows[1:]} == {*REGISTRY, "past-due"}


def rows_of(trigger: str) -> Iterator[list[str]]:
    result = RUNNER.invoke(templates_app, ["variables", trigger])
    assert result.exit_code == 0
    for row in result.stdout.splitlines():
        yield [cell for cell in row.split("  ") if cell]


def test_variables_are_listed_with_type_and_filter() -> None:
    rows = [[cell.strip() for cell in row] for row in rows_of("account_becomes_delinquent")]
    assert ["account_number", "text or none", "{{ account_number }}"] in rows
    assert ["open_total", "money", "{{ open_total | money }}"] in rows
    assert ["invoices", "list of records", "{% for each in invoices %}"] in rows
    assert ["invoices[].due_on", "date", "{{ each.due_on | date }}"] in rows
    assert ["today", "date", "{{ today | date }}"] in rows


@pytest.mark.parametrize("trigger", REGISTRY)
def test_what_a_refusal_calls_known_is_listed(tmp_path: Path, trigger: str) -> None:
    for part, text in (("subject.txt", "{{ nope }}"), ("body.txt", ""), ("body.html", "")):
        (tmp_path / "r" / "en").mkdir(parents=True, exist_ok=True)
        (tmp_path / "r" / "en" / part).write_text(text, encoding="utf-8")
    (mistake,) = check_template("r", REGISTRY[trigger].variables, Renderer(tmp_path))
    known = mistake.partition("unknown variable nope; known: ")[2]
    listed = {row[0].strip() for row in rows_of(trigger) if len(row) > 1} - {"variable"}
    assert set(known.split(", ")) == {name for name in listed if not set(name) & set(".[")}


@pytest.mark.parametrize("trigger", REGISTRY)
def test_every_variable_of_every_trigger_has_a_line(trigger: str) -> None:
    assert set(VARIABLES[trigger]) <= {row[0].strip() for row in rows_of(trigger) if row}


def test_variables_of_an_unknown_trigger_are_those_of_none() -> None:
    result = RUNNER.invoke(templates_app, ["variables", "full_moon"])
    assert result.exit_code == 2


def test_the_help_of_send_says_how_its_subjects_begin() -> None:
    shown = RUNNER.invoke(templates_app, ["send", "--help"]).stdout
    assert f"begin with {MARK}." in " ".join(shown.split())


def send(*files: Path, port: int, delivery: str = "smtp") -> Result:
    environment = {"WHIMBREL_SMTP_PORT": str(port), "WHIMBREL_SMTP_TIMEOUT": "20", "WHIMBREL_DELIVERY": delivery}
    arguments = ["send", *map(str, files), "--to", "me@staff.example"]
    return RUNNER.invoke(templates_app, arguments, env=environment)


async def test_a_test_send_is_marked_readdressed_and_harmless(config: Path) -> None:
    preview(config, "past-due-7", ACCOUNT, invoice("1", "2026-06-15"))
    files = [config / "out" / name for name in ("past-due-7-1.html", "past-due-7-2.eml")]
    async with Mailbox(0) as box:
        result = await asyncio.to_thread(send, *files, port=box.port)
        assert result.exit_code == 0, result.output
        first, second = box.messages
    assert (first.recipients, second.recipients) == (("me@staff.example",), ("me@staff.example",))
    assert first.subject == "[test] Past due: invoice 1, $84.50"
    assert first.shown_from == "Acme Billing <billing@acme.example>"
    assert "ann@mail.example" not in first.content.decode()
    assert first.message["List-Unsubscribe"] is None
    assert first.id != message_from_bytes((config / "out" / "past-due-7-1.eml").read_bytes())["Message-ID"]
    assert "Hola, José:" in second.text
    assert "Hola, José:" in second.html


async def test_a_redirected_worker_sends_tests_where_it_sends_everything(config: Path) -> None:
    preview(config, "user_forgot_password", RESET)
    async with Mailbox(0) as box:
        file = config / "out" / "user_forgot_password-1.eml"
        await asyncio.to_thread(send, file, port=box.port, delivery="redirect:catch@all.example")
        (mail,) = box.messages
    assert mail.recipients == ("catch@all.example",)


async def test_a_refused_test_send_says_so_and_fails(config: Path) -> None:
    preview(config, "user_forgot_password", RESET)
    file = config / "out" / "user_forgot_password-1.eml"
    async with Mailbox(0) as box:
        box.behaviour = lambda step, _address: "550 no" if step == "rcpt" else None
        result = await asyncio.to_thread(send, file, port=box.port)
    assert result.exit_code == 1
    assert "rejected: smtp 550 at rcpt" in result.stdout
    away = await asyncio.to_thread(send, file, file, port=1)
    assert away.exit_code == 1
    assert "not accepted: connecting failed" in away.stdout
    assert "not tried" in away.stdout


def test_nothing_is_sent_where_delivery_is_off_or_the_preview_is_none(config: Path) -> None:
    preview(config, "user_forgot_password", RESET)
    off = send(config / "out" / "user_forgot_password-1.eml", port=1, delivery="off")
    assert "WHIMBREL_DELIVERY is off" in str(off.exception)
    assert "rules.eml" in str(send(config / "rules.yaml", port=1).exception)
    with pytest.raises(NoMailError):
        for_test(b"Subject: s\n\nx", "me@staff.example", 0)
    for address in ("nobody", "jürgen@staff.example", "a b@c.example"):
        with pytest.raises(AddressError):
            for_test(b"From: a@b.example\nSubject: s\n\nx", address, 0)


def test_a_template_that_names_an_unknown_variable_is_refused_with_the_rules_line(config: Path) -> None:
    folder = config / "templates" / "visit" / "en"
    folder.mkdir(parents=True)
    for part, text in (("subject.txt", "{{ starts_at | day }}"), ("body.txt", "t"), ("body.html", "{{ technican }}")):
        (folder / part).write_text(text, encoding="utf-8")
    (config / "rules.yaml").write_text("- id: visit\n  trigger: job_scheduled\n  template: visit\n", encoding="utf-8")
    environment = {"WHIMBREL_TEMPLATES": str(config / "templates")}
    refused = RUNNER.invoke(config_app, ["check", str(config)], env=environment)
    assert isinstance(refused.exception, WhimbrelError)
    assert "rules.yaml:3" in str(refused.exception)
    assert "visit/en/body.html: unknown variable technican" in str(refused.exception)
    (folder / "body.html").write_text("{{ technician }}", encoding="utf-8")
    assert RUNNER.invoke(config_app, ["check", str(config)], env=environment).exit_code == 0
