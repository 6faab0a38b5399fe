"""An entry of rules.yaml becomes a version of a rule (DOMAIN.md section 5)."""

from collections.abc import Callable, Collection, Mapping
from typing import Final, Literal, Protocol, cast

from msgspec import Struct

from app.config.entry import Entry, Refused, suggestion
from app.config.filter_entries import read_filters
from app.config.send_entries import read_send
from app.config.values import duration, flag, instant, one_of, text, whole
from app.config.yaml import Node, Scalar
from app.domain.builtin import BUILT_IN_BY_ID
from app.domain.rules import Late, Rule

_SMS: Final = "sms"
_UNITS_OF_X: Final = ("days", "months", "percent")

ACCEPTED: Final = (
    "id",
    "trigger",
    "x",
    "per",
    "when",
    "audience",
    "channels",
    "template",
    "send",
    "late",
    "critical",
    "cap",
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

    def __init__(
        self,
        triggers: Mapping[str, TriggerSpec],
        companies: Collection[str] | None,
        check_template: TemplateCheck | None,
    ) -> None:
        """`companies` are the ids that a rule may name, None where that cannot be said."""
        self._triggers = triggers
        self._companies = companies
        self._check_template = check_template
        self._newest: dict[str, tuple[Rule, int]] = {}

    def read(self, entry: Entry) -> Rule:
        """Return the version that the entry defines; what is wrong is noted in its sheet."""
        entry.only(ACCEPTED)
        rule_id = entry.need("id", text, "")
        trigger = entry.need("trigger", _trigger(self._triggers), "")
        spec = self._triggers.get(trigger)
        earlier, line = self._newest.get(rule_id, (None, 0))
        built_in = BUILT_IN_BY_ID.get(rule_id)
        send = read_send(entry)
        rule = Rule(
            id=rule_id,
            trigger=trigger,
            x=_x(entry, trigger, spec),
            categories=_categories(entry),
            channels=_channels(entry),
            template=self._template(entry, spec),
            send_at=send.at,
            late=_late(entry),
            per=_per(entry, trigger, spec),
            when=read_filters(entry, self._companies),
            hours=send.hours,
            critical=_critical(entry, built_in),
            cap=_cap(entry),
            enabled=entry.read("enabled", flag) is not False,
            enabled_at=entry.read("enabled_at", instant),
            version=entry.read("version", whole(1)) or (earlier.version + 1 if earlier else 1),
        )
        if earlier is not None and rule_id:
            _refuse_repetition(entry, rule, earlier, line)
        if built_in is not None:
            _refuse_removal(entry, rule, built_in)
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


def _refuse_removal(entry: Entry, rule: Rule, built_in: Rule) -> None:
    if not rule.enabled:
        entry.refuse("enabled", f"{rule.id} is built in: it can be changed, but not disabled")
    if rule.trigger and rule.trigger != built_in.trigger:
        entry.refuse("trigger", f"{rule.id} is built in: its trigger stays {built_in.trigger}")


def _trigger(triggers: Mapping[str, TriggerSpec]) -> Callable[[Node], str]:
    def parse(node: Node) -> str:
        name = node.text if isinstance(node, Scalar) else ""
        if name in triggers:
            return name
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
    if isinstance(node, Scalar) and node.text == _SMS:
        raise Refused("no SMS channel is configured; must be one of email")
    return one_of(("email",))(node)


def _critical(entry: Entry, built_in: Rule | None) -> bool:
    critical = entry.read("critical", flag)
    return built_in is not None and built_in.critical if critical is None else critical


def _cap(entry: Entry) -> int | None:
    cap = entry.entry("cap", "must be fields, as {per_recipient_per_day: 2}")
    if cap is None:
        return None
    cap.only(("per_recipient_per_day",))
    return cap.need("per_recipient_per_day", whole(1), 1)


def _late(entry: Entry) -> Late:
    late = entry.entry("late", "must be fields, as {policy: send, within: 3d}")
    if late is None:
        return Late()
    late.only(("policy", "within"))
    policy = late.read("policy", one_of(("send", "latest_only", "skip"))) or Late().policy
    return Late(cast(Literal["send", "latest_only", "skip"], policy), late.read("within", duration) or Late().within)
