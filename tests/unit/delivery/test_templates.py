"""The default messages: all triggers, both languages, everything shown, nothing left over."""

import datetime as dt
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from babel import Locale

from app.delivery import locales
from app.delivery.check import check_template
from app.delivery.render import PARTS, Rendered, Renderer, RenderError
from app.dev.previews import LANGUAGES, VARIABLES, a_notification
from app.triggers import REGISTRY
from app.triggers.base import Money

RENDERER = Renderer()
BOTH = [(trigger, language) for trigger in REGISTRY for language in LANGUAGES]
USERS = [trigger for trigger, what in REGISTRY.items() if what.audience == "user"]
ZONE = ZoneInfo("America/Chicago")
LOCALES = {"en": Locale.parse("en_US"), "es": Locale.parse("es_US")}
NOT_SHOWN = {
    "days": "a message that was held, or is read tomorrow, would count wrong: the date is shown",
    "months": "as days",
    "invoice_ids": "upstream's own, which mean nothing to the reader",
}
IN_WORDS = {"kind": ("mailing", "postal"), "via": ("portal", "portal"), "reason": ("Insufficient", "Fondos")}
WRITTEN: dict[type, Callable[[Any, Locale], str]] = {
    Money: lambda value, locale: locales.money(value.amount, value.currency, locale),
    dt.datetime: lambda value, locale: locales.time(value, ZONE, locale),
    dt.date: locales.date,
    str: lambda value, _locale: value,
    int: lambda value, _locale: str(value),
}
NO_WORDS_OF_THE_OTHER = {
    "es": re.compile(r"\b(Hello|Invoice|Account|your|reply|the)\b"),
    "en": re.compile(r"[áéíóúñ¿¡]"),
}


class Texts(HTMLParser):
    """What a reader sees of a page, and where its links lead."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.seen.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name == "href"]


def rendered(trigger: str, language: str = "en", **changes: Any) -> Rendered:
    return RENDERER.render(a_notification(trigger, language=language, **changes), REGISTRY[trigger].variables)


def bodies(message: Rendered) -> tuple[str, str]:
    page = Texts(message.html)
    return " ".join(message.text.split()), " ".join([*" ".join(page.seen).split(), *page.links])


@pytest.mark.parametrize("trigger", REGISTRY)
def test_every_trigger_has_its_message_in_both_languages_and_it_names_only_its_variables(trigger: str) -> None:
    assert all(RENDERER.has(REGISTRY[trigger].template, language) for language in LANGUAGES)
    assert check_template(REGISTRY[trigger].template, REGISTRY[trigger].variables, RENDERER) == []


@pytest.mark.parametrize(("trigger", "language"), BOTH)
def test_a_message_is_in_its_language_with_nothing_left_over(trigger: str, language: str) -> None:
    message = rendered(trigger, language)
    assert message.language == language
    for part in message[:3]:
        assert part.strip()
        assert not re.search(r"\{\{|\{%|\}\}|%\}|\bNone\b|Undefined|Money\(|datetime", part)
    assert f'<html lang="{language}" dir="ltr">' in message.html
    assert len(message.subject) < 90
    page = " ".join(Texts(message.html).seen)
    said = {"custom_message": "It was good", "job_type": "Fiber installation"}
    theirs = [str(VARIABLES[trigger].get(name, text)).split("\n") for name, text in said.items()]
    for line in (line for lines in theirs for line in lines):
        page = page.replace(line, "")
    assert not NO_WORDS_OF_THE_OTHER[language].search(page)


@pytest.mark.parametrize(("trigger", "language"), BOTH)
def test_every_variable_is_shown_in_text_and_html(trigger: str, language: str) -> None:
    typed = msgspec.convert(VARIABLES[trigger], REGISTRY[trigger].variables)
    assert set(VARIABLES[trigger]) == set(typed.__struct_fields__)
    message = rendered(trigger, language)
    for body in bodies(message):
        for name in set(typed.__struct_fields__) - NOT_SHOWN.keys():
            for text in as_shown(name, getattr(typed, name), language):
                assert text.casefold() in body.casefold(), name


def as_shown(name: str, value: Any, language: str) -> list[str]:
    if value is None:
        return []
    if name in IN_WORDS:
        return [IN_WORDS[name][LANGUAGES.index(language)]]
    if isinstance(value, tuple):
        return [text for each in value for text in as_shown("", each, language)]
    if isinstance(value, msgspec.Struct) and not isinstance(value, Money):
        fields = set(value.__struct_fields__) - ({"kind"} if name == "method" else set())
        return [text for field in fields for text in as_shown(field, getattr(value, field), language)]
    write = locales.data_size if name.endswith("_bytes") else WRITTEN[type(value)]
    return [" ".join(write(value, LOCALES[language]).split())]


@pytest.mark.parametrize(("trigger", "language"), BOTH)
def test_a_message_says_whom_it_is_for_and_from(trigger: str, language: str) -> None:
    for body in bodies(rendered(trigger, language)):
        assert "Ann Miller" in body
        assert "Acme Fiber" in body
        assert ("A-1042" in body) == (trigger not in USERS)
        assert ("a1042" in body) is False


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("trigger", "secret"),
    [
        ("user_created", "set_password_url"),
        ("user_forgot_password", "reset_url"),
        ("contract_pending_signature", "sign_url"),
        ("contract_signed_copy", "copy_url"),
    ],
)
def test_a_link_that_lets_someone_in_stands_in_the_bodies_alone(trigger: str, secret: str, language: str) -> None:
    link = VARIABLES[trigger][secret]
    message = rendered(trigger, language)
    assert link not in message.subject
    assert link in message.text
    assert link in Texts(message.html).links
    preheader = message.html.partition("display:none")[2].partition("</div>")[0]
    assert "https://" not in preheader


def test_what_the_sender_wrote_is_escaped() -> None:
    message = rendered("contract_pending_signature", variables={"custom_message": "<script>1</script>"})
    assert "<script>" not in message.html
    assert "<script>1</script>" in message.text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("trigger", ["invoice_emailed", "billing_run_succeeded"])
def test_an_invoice_that_is_not_known_yet_is_not_described(trigger: str, language: str) -> None:
    variables = {"invoice": None} | ({"total": None} if trigger == "billing_run_succeeded" else {})
    message = rendered(trigger, language, variables=variables)
    assert "$" not in message.subject + message.text
    assert Texts(message.html).links == []


def test_an_unknown_total_of_a_run_is_its_invoices() -> None:
    assert rendered("billing_run_succeeded", variables={"total": None}).subject == "Your bill of June 1, 2026: $84.50"


@pytest.mark.parametrize(("used", "title"), [(900, "has reached 80%"), (1000, "used all of your data")])
def test_usage_says_what_is_left_while_anything_is(used: int, title: str) -> None:
    variables = {"used_bytes": used * 10**9, "cap_bytes": 10**12}
    message = rendered("usage_reaches_percent", variables=variables)
    assert title in message.subject
    assert ("Left:" in message.text) == (used < 1000)


def test_an_appointment_that_ends_another_day_says_both_days() -> None:
    message = rendered("job_scheduled", variables={"ends_at": "2026-06-17T15:30:00Z"})
    for body in bodies(message):
        assert re.search(r"June 16, 2026, 9:00\sAM CDT to June 17, 2026, 10:30\sAM CDT", body)


def test_instants_are_shown_in_the_notifications_zone() -> None:
    message = rendered("job_scheduled", time_zone="Europe/Madrid", locale="es_ES", language="es")
    assert message.subject == "Su cita: martes, 16 de junio de 2026, 16:00"
    assert "de 16:00 a 18:00 (CEST)" in bodies(message)[0]


def test_a_zone_that_nobody_knows_is_an_error_of_the_message() -> None:
    with pytest.raises(RenderError, match="time zone"):
        rendered("user_created", time_zone="Mars/Olympus")


@pytest.mark.parametrize(
    ("reason", "words"),
    [("insufficient_funds", "Fondos insuficientes"), ("Expired card", "Tarjeta vencida"), ("odd_code", "Odd code")],
)
def test_reasons_are_told_in_spanish_where_they_are_known(reason: str, words: str) -> None:
    assert f"Motivo indicado:  {words}\n" in rendered("payment_failed", "es", variables={"reason": reason}).text


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ({"kind": "card", "last4": "4242", "brand": "visa"}, "Visa terminada en 4242"),
        ({"kind": "bank_account", "last4": "6789", "brand": None}, "cuenta bancaria terminada en 6789"),
        ({"kind": "paypal", "last4": None, "brand": None}, "paypal"),
    ],
)
def test_ways_of_paying_are_named_in_spanish(method: dict[str, str], words: str) -> None:
    assert f"Forma de pago:  {words}\n" in rendered("payment_receipt", "es", variables={"method": method}).text


def test_all_files_of_a_template_are_there_or_none_of_the_folder() -> None:
    folders = {path.parent for path in (Path(locales.__file__).parent.parent / "templates").rglob("*/*/subject.txt")}
    assert len(folders) >= len(REGISTRY) * len(LANGUAGES)
    assert all((folder / part).is_file() for folder in folders for part in PARTS)
