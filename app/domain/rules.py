"""Rules as applied, and which version of each is in force when (DOMAIN.md sections 4 and 5)."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from app.contract.instants import DAY, Instant
from app.domain.companies import Company
from app.domain.switches import Switches

DEFAULT_SEND_AT = "09:00"
_SINCE_EVER: Instant = -(2**63)


class Late(Struct, frozen=True, omit_defaults=True):
    """What becomes of a moment decided more than 15 minutes after it; `within` is elapsed microseconds, inclusive."""

    policy: Literal["send", "latest_only", "skip"] = "send"
    within: int = 3 * DAY


class Filters(Struct, frozen=True, omit_defaults=True):
    """What must hold of the account for a rule to apply to it; None asks nothing. A missing value does not hold."""

    company: tuple[str, ...] | None = None
    account_type: tuple[str, ...] | None = None
    account_status: tuple[str, ...] | None = None
    account_group: tuple[str, ...] | None = None
    autopay: bool | None = None
    minimum_amount: int | None = None
    """Minor units of `minimum_currency`: of the invoice where the subject names one, else the account's open total."""
    minimum_currency: str | None = None
    include_child_accounts: bool = True
    job_type: tuple[str, ...] | None = None


class Hours(Struct, frozen=True, omit_defaults=True):
    """When may be sent; None says nothing. `window` is [first, last) in minutes after midnight, and may cross it.

    `any_time` takes a company's window away.
    """

    window: tuple[int, int] | None = None
    any_time: bool = False
    weekdays: tuple[int, ...] | None = None
    skip_holidays: bool | None = None

    def over(self, default: "Hours") -> "Hours":
        """Return these hours, with what they leave open taken from `default`."""
        return Hours(
            window=None if self.any_time else self.window or default.window,
            weekdays=default.weekdays if self.weekdays is None else self.weekdays,
            skip_holidays=default.skip_holidays if self.skip_holidays is None else self.skip_holidays,
        )


class Rule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One version of a triggered message.

    `categories` of None are the trigger's own, `template` of None too; `send_at` is local time as `HH:MM`, None the
    company's. In force from `enabled_at` (None: since ever) until `ends` (exclusive; None: still), which only a
    Rulebook knows and fills in.
    """

    id: str
    trigger: str
    x: int | None = None
    categories: tuple[str, ...] | None = None
    channels: tuple[str, ...] = ("email",)
    template: str | None = None
    send_at: str | None = None
    late: Late = Late()
    per: Literal["account", "invoice"] = "account"
    when: Filters = Filters()
    hours: Hours = Hours()
    critical: bool = False
    cap: int | None = None
    """The most non-critical notifications that a contact gets on a local day."""
    enabled: bool = True
    enabled_at: Instant | None = None
    version: int = 1
    ends: Instant | None = None


class Rulebook:
    """All versions of all rules, all companies and what is held back, of one configuration.

    `offset` is that of the configuration's record on whimbrel.config, -1 where there is none (a simulation).
    """

    __slots__ = ("_begins", "_of_trigger", "_versions", "companies", "offset", "switches")

    def __init__(
        self,
        rules: Iterable[Rule],
        companies: Mapping[str, Company],
        offset: int = -1,
        switches: Switches = Switches(),  # noqa: B008 - frozen
    ) -> None:
        self.companies = companies
        self.offset = offset
        self.switches = switches
        self._versions = _by_id(rules)
        self._begins = {rule_id: [_begin(v) for v in versions] for rule_id, versions in self._versions.items()}
        self._of_trigger: dict[str, tuple[str, ...]] = {}
        for rule_id in sorted(self._versions):
            for trigger in {version.trigger for version in self._versions[rule_id]}:
                self._of_trigger[trigger] = (*self._of_trigger.get(trigger, ()), rule_id)

    def killed(self, company_id: str | None) -> bool:
        """Whether a kill switch holds everything of the company but criticals; None: of a company not known yet."""
        return self.switches.kill.holds(company_id)

    def in_force(self, rule_id: str, instant: Instant) -> Rule | None:
        """The version of the rule that applies to moments at `instant`, disabled ones included.

        None before the first version's `enabled_at`, and for an id that is not known.
        """
        versions = self._versions.get(rule_id)
        if versions is None:
            return None
        begun = bisect_right(self._begins[rule_id], instant)
        return versions[begun - 1] if begun else None

    def rule_ids_of(self, trigger: str) -> tuple[str, ...]:
        """Ids, sorted, of the rules of which at least one version has this trigger, disabled ones included."""
        return self._of_trigger.get(trigger, ())

    def versions(self, rule_id: str) -> tuple[Rule, ...]:
        """All versions of the rule, oldest first, each with its `ends`; none for an id that is not known."""
        return self._versions.get(rule_id, ())


def send_at(rule: Rule, company: Company) -> str:
    """The local time, `HH:MM`, of the rule's day moments for accounts of the company."""
    return rule.send_at or company.send_at or DEFAULT_SEND_AT


def _begin(rule: Rule) -> Instant:
    return _SINCE_EVER if rule.enabled_at is None else rule.enabled_at


def _by_id(rules: Iterable[Rule]) -> dict[str, tuple[Rule, ...]]:
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        found.setdefault(rule.id, []).append(rule)
    return {rule_id: _in_order(versions) for rule_id, versions in found.items()}


def _in_order(versions: list[Rule]) -> tuple[Rule, ...]:
    ordered = sorted(versions, key=lambda v: (_begin(v), v.version))
    ended = [replace(older, ends=newer.enabled_at) for older, newer in pairwise(ordered)]
    return (*ended, replace(ordered[-1], ends=None))
