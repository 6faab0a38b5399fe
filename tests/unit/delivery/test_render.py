"""Templates, languages, money and dates; and what is refused when a rule is applied."""

import datetime as dt
from pathlib import Path

import msgspec
import pytest
from babel import Locale

from app.delivery import locales
from app.delivery.check import check_template
from app.delivery.render import Rendered, Renderer, RenderError
from app.dev.previews import VARIABLES, a_notification, write
from app.engine.outbox import Notification
from app.triggers import REGISTRY

RENDERER = Renderer()


def rendered(notification: Notification, renderer: Renderer = RENDERER) -> Rendered:
    return renderer.render(notification, REGISTRY[notification.trigger].variables)


def a_template(directory: Path, name: str, language: str = "en", **parts: str) -> Renderer:
    folder = directory / name / language
    folder.mkdir(parents=True)
    for part, default in (("subject.txt", "s"), ("body.txt", "t"), ("body.html", "<p>h</p>")):
        (folder / part).write_text(parts.get(part.replace(".", "_"), default), encoding="utf-8")
    return Renderer(directory)


@pytest.mark.parametrize("trigger", REGISTRY)
def test_every_trigger_has_a_template_that_names_only_its_variables(trigger: str) -> None:
    assert check_template(REGISTRY[trigger].template, REGISTRY[trigger].variables, RENDERER) == []


@pytest.mark.parametrize("trigger", [name for name in VARIABLES if "invoice_balance" in VARIABLES[name]])
def test_a_message_about_an_invoice_asks_for_its_balance(trigger: str) -> None:
    message = rendered(a_notification(trigger))
    balance = VARIABLES[trigger]["invoice_balance"]
    for body in (message.text, message.html):
        assert locales.money(balance["amount"], balance["currency"], Locale.parse("en_US")) in body
    assert "\n" not in message.subject


@pytest.mark.parametrize("trigger", [name for name in VARIABLES if "view_url" in VARIABLES[name]])
def test_links_are_there_only_where_the_invoice_has_some(trigger: str) -> None:
    link = "https://my.acme.example/invoices/20418"
    assert all(link in body for body in rendered(a_notification(trigger))[1:3])
    without = rendered(a_notification(trigger, variables={"view_url": None, "pdf_url": None}))
    assert "https://" not in without.text
    assert "href" not in without.html


def test_what_comes_from_upstream_is_escaped_in_html_and_plain_in_text() -> None:
    message = rendered(a_notification(name="<b>Ann</b>", variables={"invoice_number": '"><script>'}))
    assert "<b>Ann</b>" in message.text
    assert "<b>Ann" not in message.html
    assert "<script>" not in message.html
    assert "&lt;b&gt;Ann" in message.html


def test_a_message_promises_no_automatic_payment_that_lies_in_the_past() -> None:
    ahead = rendered(a_notification(variables={"auto_pay_on": "2026-06-13"}))
    assert "we will charge your saved payment method on June 13, 2026" in " ".join(ahead.text.split())
    behind = rendered(a_notification(variables={"auto_pay_on": "2026-06-11"}))
    assert "charge" not in behind.text + behind.html


def test_an_invoice_without_a_balance_asks_for_nothing() -> None:
    message = rendered(
        a_notification("initial_invoice", variables={"invoice_balance": {"amount": 0, "currency": "USD"}})
    )
    assert "nothing left to pay" in message.text
    assert "due" not in message.subject


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ({"kind": "card", "last4": "4242", "brand": "visa"}, "Visa ending in 4242"),
        ({"kind": "card", "last4": "0005", "brand": "amex"}, "American Express ending in 0005"),
        ({"kind": "bank_account", "last4": "6789", "brand": None}, "bank account ending in 6789"),
        ({"kind": "paypal", "last4": None, "brand": None}, "paypal"),
    ],
)
def test_a_payment_method_is_named_as_far_as_it_is_known(method: dict[str, str], words: str) -> None:
    message = rendered(a_notification("payment_succeeded", variables={"method": method}))
    assert f"Payment method:  {words}\n" in message.text
    assert words in message.html


def test_money_and_dates_are_written_as_the_contact_writes_them() -> None:
    german = rendered(a_notification(language="de", locale="en_US"))
    assert german.subject == "Invoice INV-20418: 84,50 $ due 15. Juni 2026"
    assert german.language == "en", "there is no German template yet"
    australian = rendered(a_notification(language="en", locale="en_AU"))
    assert "15 June 2026" in australian.subject
    assert rendered(a_notification(language=None, locale="de_DE")).subject == german.subject


@pytest.mark.parametrize(
    ("amount", "currency", "locale", "text"),
    [(8450, "USD", "en_US", "$84.50"), (8450, "JPY", "ja_JP", "￥8,450"), (-100, "EUR", "de_DE", "-1,00\xa0€")],
)
def test_minor_units_are_the_currencys(amount: int, currency: str, locale: str, text: str) -> None:
    assert locales.money(amount, currency, Locale.parse(locale)) == text


@pytest.mark.parametrize(
    ("contact", "company", "tried"),
    [
        ("pt-BR", "en_US", ("pt_br", "pt", "en_us", "en")),
        (None, "de_DE", ("de_de", "de", "en")),
        ("", "", ("en",)),
        ("../../secret", "en_US", ("en_us", "en")),
    ],
)
def test_languages_fall_back_from_contact_to_company_to_english(
    contact: str | None, company: str, tried: tuple[str, ...]
) -> None:
    assert locales.languages(contact, company) == tried


def test_a_template_in_the_contacts_language_is_taken(tmp_path: Path) -> None:
    a_template(tmp_path, "reminder")
    renderer = a_template(tmp_path, "reminder", "es", subject_txt="Factura {{ invoice_number }}")
    message = rendered(a_notification(template="reminder", language="es-MX"), renderer)
    assert (message.subject, message.language) == ("Factura INV-20418", "es")
    assert rendered(a_notification(template="reminder", language="fr"), renderer).subject == "s"


def test_an_operators_template_comes_before_the_one_that_ships(tmp_path: Path) -> None:
    renderer = a_template(tmp_path, "invoice_due_in_days", body_html='{% extends "_base/en/frame.html" %}')
    assert rendered(a_notification(), renderer).subject == "s"
    assert "Questions?" in rendered(a_notification(), renderer).html


@pytest.mark.parametrize(
    ("part", "text", "mistake"),
    [
        ("subject_txt", "{{ invoice_nr }}", "unknown variable invoice_nr"),
        ("body_html", "{{ invoice_total.amout }}", "there is no amout; there are: amount, currency"),
        ("body_txt", "{% if days %}{{ dayz }}{% endif %}", "unknown variable dayz"),
        ("body_txt", "{% if x", "unexpected"),
        ("body_txt", "{{ days | moneyy }}", "No filter named 'moneyy'"),
        ("body_txt", "{{ pdf_url | length }}", "tried with no optional variable"),
        ("body_txt", "{{ ''.__class__.__mro__ }}", "unsafe"),
        ("body_html", '{% extends "_base/nothing.html" %}', "_base/nothing.html: there is no such file"),
        ("body_html", '{% include "_base/en/frame.html" %}{{ tone }}', "unknown variable tone"),
    ],
)
def test_a_template_with_a_mistake_is_refused_with_the_file(tmp_path: Path, part: str, text: str, mistake: str) -> None:
    renderer = a_template(tmp_path, "reminder", **{part: text})
    mistakes = check_template("reminder", REGISTRY["invoice_due_in_days"].variables, renderer)
    assert len(mistakes) >= 1
    assert mistake in mistakes[0]
    assert "reminder/en/" in mistakes[0] or "_base" in mistakes[0]


def test_attributes_of_a_lists_elements_are_checked_too(tmp_path: Path) -> None:
    renderer = a_template(
        tmp_path, "r", body_txt="{% for i in invoices %}{{ i.balance | money }}{{ i.due }}{% endfor %}"
    )
    (mistake, *_) = check_template("r", REGISTRY["account_becomes_delinquent"].variables, renderer)
    assert "line 1: there is no due; there are: balance, due_on, invoice_number, view_url" in mistake


def test_every_language_of_a_template_is_checked(tmp_path: Path) -> None:
    a_template(tmp_path, "r")
    renderer = a_template(tmp_path, "r", "es", subject_txt="{{ nada }}")
    assert "r/es/subject.txt" in check_template("r", REGISTRY["payment_failed"].variables, renderer)[0]


@pytest.mark.parametrize("name", ["past-due", "_base"])
def test_a_template_that_is_not_there_is_refused_with_those_that_are(name: str) -> None:
    """The layout is none."""
    (mistake,) = check_template(name, REGISTRY["payment_failed"].variables, RENDERER)
    assert f"there is no template {name} in en" in mistake
    assert "payment_succeeded" in mistake
    assert "_base" not in mistake.partition("there are:")[2]


def test_a_template_that_lacks_a_part_is_told_which(tmp_path: Path) -> None:
    renderer = a_template(tmp_path, "r")
    (tmp_path / "r" / "en" / "body.html").unlink()
    mistakes = check_template("r", REGISTRY["payment_failed"].variables, renderer)
    assert mistakes == ["r/en/body.html: there is no such file"]


def test_an_unknown_variable_is_an_error_at_sending_too_and_quotes_no_value(tmp_path: Path) -> None:
    renderer = a_template(tmp_path, "r", body_txt="{{ nobody }}")
    with pytest.raises(RenderError, match=r"r/en/body.txt: 'nobody' is undefined"):
        rendered(a_notification(template="r"), renderer)
    broken = a_notification(variables={"due_on": "ann.miller@mail.example"})
    with pytest.raises(RenderError) as caught:
        rendered(broken)
    assert "ann" not in str(caught.value)


def test_templates_cannot_reach_out_of_the_sandbox(tmp_path: Path) -> None:
    renderer = a_template(tmp_path, "r", body_txt="{{ invoice_total.__class__.__init__.__globals__ }}")
    with pytest.raises(RenderError):
        rendered(a_notification(template="r"), renderer)


def test_previews_are_written_for_every_trigger(tmp_path: Path) -> None:
    assert {path.stem for path in write(tmp_path, RENDERER)} == set(REGISTRY)


def test_the_days_of_a_message_are_the_accounts(tmp_path: Path) -> None:
    renderer = a_template(tmp_path, "r", subject_txt="{{ today | date }}")
    late = a_notification(template="r", checked_at="2026-06-12T03:00:00Z", time_zone="America/Chicago")
    assert rendered(late, renderer).subject == "June 11, 2026"


def test_previews_name_all_variables_of_their_triggers() -> None:
    for trigger, values in VARIABLES.items():
        variables = REGISTRY[trigger].variables
        typed = msgspec.convert(values, variables)
        assert set(values) == set(variables.__struct_fields__)
        assert isinstance(getattr(typed, "due_on", dt.date.min), dt.date)
