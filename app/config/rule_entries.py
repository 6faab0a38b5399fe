"""An entry of rules.yaml becomes a version of a rule (DOMAIN.md section 5)."""

from collections.abc import Callable, Mapping
from typing import Final, Literal, Protocol, cast

from msgspec import Struct

from app.config.entry import Entry, Refused, suggestion
from app.config.values import clock, duration, flag, instant, one_of, text, whole
from app.config.yaml import Node, Scalar
from app.domain.rules import Late, Rule

# What DOMAIN.md names and this version does not do: refused by name, so that nobody believes it is in force.
TRIGGERS_NOT_YET: Final = frozenset(
    {
        "contact_password_changed",
        "contract_pending_signature",
        "credit_card_expiring",
        "payment_refunded",
        "job_scheduled",
        "late_fee_applied",
        "user_created",
        "payment_receipt",
        "contract_signed_copy",
        "user_forgot_password",
        "account_address_changed",
        "usage_reaches_percent",
        "account_first_activated",
        "invoice_emailed",
        "billing_run_succeeded",
    }
)
_NOT_YET: Final = ("when", "critical", "cap")
SEND_NOT_YET: Final = ("window", "weekdays", "skip_holidays")
_CHANNELS_NOT_YET: Final = ("sms",)
_UNITS_OF_X: Final = ("days", "months", "percent")

_ACCEPTED: Final = (
    "id",
    "trigger",
    "x",
    "per",
    "audience",
    "channels",
    "template",
    "send",
    "late",
    "enabled",
    "enabled_at",
    "version",
)


class TriggerSpec(Protocol):
    """What the configuration must know of a trigger: `x_min` is None where it takes no X."""

    @property
    def x_min(self) -> int | None: ...
    @property
    def options(self) -> frozenset[str]: ...
    @property
    def template(self) -> str: ...
    @property
    def variables(self) -> type[Struct]: ...


TemplateCheck = Callable[[str, type[Struct]], list[str]]
"""Takes a template and its trigger's variables; returns what is wrong, empty where nothing is."""


class RuleReader:
    """Reads the entries of one file; remembers them, since an id may occur again as a later version."""

    def __init__(self, triggers: Mapping[str, TriggerSpec], check_template: TemplateCheck | None) -> None:
        self._triggers = triggers
        self._check_template = check_template
        self._newest: dict[str, tuple[Rule, int]] = {}

    def read(self, entry: Entry) -> Rule:
        """Return the version that the entry defines; what is wrong is noted in its sheet."""
        entry.only(_ACCEPTED, _NOT_YET)
        rule_id = entry.need("id", text, "")
        trigger = entry.need("trigger", _trigger(self._triggers), "")
        spec = self._triggers.get(trigger)
        earlier, line = self._newest.get(rule_id, (None, 0))
        rule = Rule(
            id=rule_id,
            trigger=trigger,
            x=_x(entry, trigger, spec),
            categories=_categories(entry),
            channels=_channels(entry),
            template=self._template(entry, spec),
            send_at=read_send_at(entry),
            late=_late(entry),
            per=_per(entry, trigger, spec),
            enabled=entry.read("enabled", flag) is not False,
            enabled_at=entry.read("enabled_at", instant),
            version=entry.read("version", whole(1)) or (earlier.version + 1 if earlier else 1),
        )
        if earlier is not None and rule_id:
            _refuse_repetition(entry, rule, earlier, line)
        self._newest[rule_id] = rule, entry.line
        return rule

    def _template(self, entry: Entry, spec: TriggerSpec | None) -> str | None:
        template = entry.read("template", text)
        if spec is not None and self._check_template is not None:
            for problem in self._check_template(template or spec.template, spec.variables):
                entry.refuse("template", problem)
        return template


def _refuse_repetition(entry: Entry, rule: Rule, earlier: Rule, earlier_line: int) -> None:
    again = f'"{rule.id}" is in line {earlier_line} already; it may occur again only with a later'
    if rule.enabled_at is None or (earlier.enabled_at is not None and rule.enabled_at <= earlier.enabled_at):
        entry.refuse("enabled_at" if entry.has("enabled_at") else "id", f"{again} enabled_at")
    if rule.version <= earlier.version:
        entry.refuse("version", f"{again} version, more than {earlier.version}")


def read_send_at(entry: Entry) -> str | None:
    """Return `send.at` of a rule or of a company."""
    send = entry.entry("send", 'must be fields, as {at: "09:00"}')
    if send is None:
        return None
    send.only(("at",), SEND_NOT_YET)
    return send.read("at", clock)


def _trigger(triggers: Mapping[str, TriggerSpec]) -> Callable[[Node], str]:
    def parse(node: Node) -> str:
        name = node.text if isinstance(node, Scalar) else ""
        if name in triggers:
            return name
        if name in TRIGGERS_NOT_YET:
            raise Refused("not yet supported; must be one of " + ", ".join(sorted(triggers)))
        raise Refused("must be one of " + ", ".join(sorted(triggers)) + suggestion(name, triggers))

    return parse


def _x(entry: Entry, trigger: str, spec: TriggerSpec | None) -> int | None:
    if spec is None:
        return None
    if spec.x_min is not None:
        unit = next((word for word in trigger.split("_") if word in _UNITS_OF_X), "")
        return entry.need("x", whole(spec.x_min, unit), spec.x_min)
    if entry.has("x"):
        entry.refuse("x", f"{trigger} takes no x")
    return None


def _per(entry: Entry, trigger: str, spec: TriggerSpec | None) -> Literal["account", "invoice"]:
    per = entry.read("per", one_of(("account", "invoice")))
    if per is not None and spec is not None and "per" not in spec.options:
        entry.refuse("per", f"{trigger} has no such option")
    return cast(Literal["account", "invoice"], per or "account")


def _categories(entry: Entry) -> tuple[str, ...] | None:
    audience = entry.entry("audience", "must be fields, as {categories: [financial]}")
    if audience is None:
        return None
    audience.only(("categories",))
    return audience.each("categories", text, "must be a list of categories, as [financial]")


def _channels(entry: Entry) -> tuple[str, ...]:
    channels = entry.each("channels", _channel, "must be a list of channels, as [email]")
    if channels is not None and len(set(channels)) < len(channels):
        entry.refuse("channels", "must name each channel once")
    return channels or ("email",)


def _channel(node: Node) -> str:
    if isinstance(node, Scalar) and node.text in _CHANNELS_NOT_YET:
        raise Refused("not yet supported; must be one of email")
    return one_of(("email",))(node)


def _late(entry: Entry) -> Late:
    late = entry.entry("late", "must be fields, as {policy: send, within: 3d}")
    if late is None:
        return Late()
    late.only(("policy", "within"))
    policy = late.read("policy", one_of(("send", "latest_only", "skip"))) or Late().policy
    return Late(cast(Literal["send", "latest_only", "skip"], policy), late.read("within", duration) or Late().within)
