"""Templates made into subject, text and HTML: Jinja2, sandboxed and strict, one folder a template and language."""

import datetime as dt
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from babel import Locale
from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound
from jinja2.sandbox import ImmutableSandboxedEnvironment

from app.contract.instants import datetime_of, parse_instant
from app.delivery import locales
from app.delivery.filters import FILTERS
from app.engine.outbox import Notification
from app.errors import WhimbrelError

BUILT_IN = Path(__file__).parent.parent / "templates"
PARTS = ("subject.txt", "body.txt", "body.html")
COMMON: dict[str, Any] = {
    "recipient_name": str,
    "account_id": str,
    "company_name": str,
    "today": dt.date,
    "language": str,
    "direction": str,
}
"""What every template may use besides the variables of its trigger, with its type.

`today` is the local day on which the message was last known to be true; `language` and `direction` are the layout's.
"""


class RenderError(WhimbrelError):
    """A message could not be made from its template. Names the fault, never a variable's value."""


class Rendered(NamedTuple):
    """A message's three parts, and the language they are written in."""

    subject: str
    text: str
    html: str
    language: str


class Renderer:
    """The templates of an operator's directory, and behind them those that ship."""

    def __init__(self, directory: Path | None = None) -> None:
        """Look for templates in `directory` first; None: only the built-in ones."""
        self.environment = ImmutableSandboxedEnvironment(
            loader=ChoiceLoader([FileSystemLoader(path) for path in (directory, BUILT_IN) if path is not None]),
            undefined=StrictUndefined,
            autoescape=lambda name: name is not None and name.endswith(".html"),
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self.environment.filters.update(FILTERS)

    def render(self, notification: Notification, variables: type[msgspec.Struct]) -> Rendered:
        """Make the message of `notification`, whose variables are of the trigger's type; raise RenderError."""
        try:
            typed = msgspec.json.decode(notification.variables, type=variables)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise RenderError(f"the variables are not those of {notification.trigger}") from None
        zone = _zone(notification.time_zone)
        values = {
            **{name: getattr(typed, name) for name in typed.__struct_fields__},
            "recipient_name": " ".join(notification.name.split()),
            "account_id": notification.account_id,
            "company_name": notification.company.name,
            "today": _local_day(notification.checked_at, zone),
        }
        locale = locales.formatting_locale(notification.language, notification.locale)
        return self.render_values(notification.template, self._language(notification), values, locale, zone)

    def render_values(
        self, template: str, language: str, values: dict[str, Any], locale: Locale, zone: dt.tzinfo
    ) -> Rendered:
        """Render the parts in `language` with the trigger's variables and the common ones; raise RenderError.

        Filters write for `locale`, and instants in `zone`.
        """
        shown = {"language": language.replace("_", "-"), "direction": locales.direction(language)}
        values = values | shown | {"locale": locale, "zone": zone}
        subject, text, html = (self._part(f"{template}/{language}/{part}", values) for part in PARTS)
        return Rendered(" ".join(subject.split()), text.strip() + "\n", html.strip() + "\n", language)

    def has(self, template: str, language: str) -> bool:
        """Tell whether there is such a template in that language."""
        try:
            self.environment.get_template(f"{template}/{language}/{PARTS[0]}")
        except TemplateNotFound:
            return False
        except TemplateError:
            return True
        return True

    def _language(self, notification: Notification) -> str:
        for language in locales.languages(notification.language, notification.locale):
            if self.has(notification.template, language):
                return language
        raise RenderError(f"template {notification.template}: no such folder, or none of its languages is en")

    def _part(self, name: str, values: dict[str, Any]) -> str:
        try:
            return self.environment.get_template(name).render(values)
        except TemplateError as error:
            raise RenderError(f"template {name}: {error.message}") from None
        except Exception as error:  # noqa: BLE001 - templates raise anything, and a foreign message may quote a value
            raise RenderError(f"template {name}: {type(error).__name__}") from None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise RenderError("the notification's time zone is not known") from None


def _local_day(instant: str, zone: ZoneInfo) -> dt.date:
    try:
        return datetime_of(parse_instant(instant)).astimezone(zone).date()
    except (ValueError, OverflowError):
        raise RenderError("the notification's time cannot be read") from None
