"""The records of `whimbrel.config`: one an apply, each whole, so that the newest alone says what is in force.

JSON: `{"format": 2, "rules": [...], "companies": [...], "kill": {...}, "guard": {...}}`, defaults left away. `rules`
are versions with the fields of `Rule` (`late.within` in microseconds, `enabled_at` in RFC 3339); companies have those
of `Company`, the switches those of `Kill` and `Guard`. A version that its apply puts in force has `enabled_at:
"apply"`: that is the record's own broker timestamp plus 30 seconds, by which every worker has read it (ARCHITECTURE.md
section 5, Configuration). Later records carry such a version with the instant. So it is with the time zone that a
company had until an apply (`earlier`: until 0). Switches are in force when read.

Format 1 had no switches and fewer options; it is still read. A worker that knows format 1 alone refuses format 2.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from app.config.check import Config
from app.contract.instants import DAY, SECOND, Instant, format_instant, parse_instant
from app.domain.builtin import BUILT_IN, with_built_in
from app.domain.companies import Company, EarlierZone
from app.domain.rules import Rule, Rulebook
from app.domain.switches import Guard, Kill, Switches
from app.errors import WhimbrelError

FORMAT: Final = 2
_READ: Final = (1, FORMAT)
KEY: Final = b"config"
ON_APPLY: Final = "apply"
EFFECTIVE_AFTER: Final = 30 * SECOND
# A decision is remembered for 400 days; what was in force before that decides nothing any more.
NEEDED_FOR: Final = 400 * DAY


class RecordError(WhimbrelError):
    """The record on whimbrel.config cannot be read."""


class Recorded(msgspec.Struct, frozen=True):
    """What a record says."""

    config: Config
    switches: Switches = Switches()


class _Record(msgspec.Struct, frozen=True):
    format: int
    rules: list[dict[str, Any]]
    companies: list[Company]
    kill: Kill = Kill()
    guard: Guard = Guard()


Change = Callable[[Recorded], Switches]
"""Returns the switches as they shall be; raises a WhimbrelError that says why they cannot."""


def read_record(value: bytes, timestamp: Instant, offset: int) -> Rulebook:
    """Return what the record at `offset` puts in force; `timestamp` is its broker timestamp. Raise RecordError."""
    found = read(value, timestamp)
    return Rulebook(found.config.rules, found.config.companies, offset, found.switches)


def read(value: bytes | None, timestamp: Instant) -> Recorded:
    """Return what a record says, built-in rules included; of None (no record yet) those alone. Raise RecordError."""
    if value is None:
        return Recorded(Config(BUILT_IN, {}))
    try:
        found = msgspec.json.decode(value, type=_Format).format
        if found not in _READ:
            raise RecordError(f"the configuration's record has format {found}, this version reads up to {FORMAT}")
        record = msgspec.json.decode(value, type=_Record)
        rules = with_built_in(_resolved(record.rules, timestamp))
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError, ValueError) as error:
        raise RecordError(f"the configuration's record cannot be read: {error}") from error
    companies = {company.id: _dated(company, timestamp) for company in record.companies}
    return Recorded(Config(rules, companies), Switches(record.kill, record.guard))


def next_record(current: bytes | None, timestamp: Instant, wanted: Config, *, as_written: bool) -> bytes | None:
    """Return the record that puts `wanted` in force, None where `current` (of broker time `timestamp`) does already.

    As written, the versions of `wanted` stand as they are. Otherwise only the newest of each id counts, and its
    `enabled_at` and `version` do not: what is new or has changed is stamped by the apply and counted up, what has not
    keeps both, and what is no longer wanted gets a last version that is disabled. A company that changes its time zone
    keeps note of the one that it had. Switches stay as they are. Raise RecordError.
    """
    found = read(current, timestamp)
    before = found.config
    companies = {
        name: _with_earlier(company, before.companies.get(name), None if as_written else timestamp)
        for name, company in wanted.companies.items()
    }
    wanted = Config(with_built_in(wanted.rules), companies)
    if as_written:
        rules: list[tuple[Rule, bool]] = [(rule, False) for rule in wanted.rules]
        changed = rules_by_id(before) != rules_by_id(wanted)
    else:
        rules = _next_rules(before, timestamp, wanted)
        changed = any(stamped for _, stamped in rules)
    if current is not None and not changed and before.companies == wanted.companies:
        return None
    guard = found.switches.guard.needed_since(timestamp - NEEDED_FOR)
    return _encode(rules, wanted.companies.values(), Switches(found.switches.kill, guard))


def next_switches(current: bytes, timestamp: Instant, change: Change) -> bytes | None:
    """Return the record with the switches that `change` makes of `current`, None where they are so already.

    Rules and companies stay as they are. Raise RecordError, and what `change` raises.
    """
    found = read(current, timestamp)
    switches = change(found)
    if switches == found.switches:
        return None
    return _encode([(rule, False) for rule in found.config.rules], found.config.companies.values(), switches)


def rules_by_id(config: Config) -> dict[str, tuple[Rule, ...]]:
    """Return each rule's versions, oldest first."""
    book = Rulebook(config.rules, config.companies)
    return {rule_id: book.versions(rule_id) for rule_id in sorted({rule.id for rule in config.rules})}


def definition(rule: Rule) -> Rule:
    """Return the rule without what an apply stamps: equal ones are the same rule."""
    return replace(rule, enabled_at=None, version=1, ends=None)


class _Format(msgspec.Struct):
    format: int


def _resolved(written: list[dict[str, Any]], timestamp: Instant) -> tuple[Rule, ...]:
    newest: dict[str, Instant] = {}
    rules = []
    for fields in written:
        rule = msgspec.convert(fields | {"enabled_at": None}, Rule)
        begins = fields.get("enabled_at")
        if begins == ON_APPLY:
            # A broker whose clock was set back must not put a version in force before the one that it replaces.
            rule = replace(rule, enabled_at=max(timestamp + EFFECTIVE_AFTER, newest.get(rule.id, 0)))
        elif begins is not None:
            rule = replace(rule, enabled_at=parse_instant(begins))
        newest[rule.id] = max(rule.enabled_at or 0, newest.get(rule.id, 0))
        rules.append(rule)
    return tuple(rules)


def _with_earlier(company: Company, before: Company | None, timestamp: Instant | None) -> Company:
    """Return the company with the zones that it had; one that it has until this record is stamped by it."""
    if before is None:
        return company
    if timestamp is None or company.time_zone == before.time_zone:
        return replace(company, earlier=before.earlier)
    needed = tuple(each for each in before.earlier if each.until >= timestamp - NEEDED_FOR)
    return replace(company, earlier=(*needed, EarlierZone(before.time_zone)))


def _dated(company: Company, timestamp: Instant) -> Company:
    earlier, newest = [], 0
    for each in company.earlier:
        newest = each.until or max(timestamp + EFFECTIVE_AFTER, newest)
        earlier.append(replace(each, until=newest))
    return replace(company, earlier=tuple(earlier))


def _next_rules(before: Config, timestamp: Instant, wanted: Config) -> list[tuple[Rule, bool]]:
    horizon = timestamp - NEEDED_FOR
    known, goals = rules_by_id(before), {rule.id: rule for rule in wanted.rules}
    rules: list[tuple[Rule, bool]] = []
    for rule_id in sorted(known.keys() | goals.keys()):
        versions, goal = known.get(rule_id, ()), goals.get(rule_id)
        newest = versions[-1] if versions else None
        if goal is None and newest is not None:
            if not newest.enabled and (newest.enabled_at or 0) < horizon:
                continue
            goal = replace(newest, enabled=False)
        rules += [(rule, False) for rule in versions if rule.ends is None or rule.ends >= horizon]
        if goal is not None and (newest is None or definition(newest) != definition(goal)):
            rules.append((replace(goal, version=1 + (newest.version if newest else 0)), True))
    return rules


def _encode(rules: Iterable[tuple[Rule, bool]], companies: Iterable[Company], switches: Switches) -> bytes:
    record = _Record(
        FORMAT,
        [_fields(rule, stamped=stamped) for rule, stamped in rules],
        sorted(companies, key=lambda company: company.id),
        switches.kill,
        switches.guard,
    )
    return msgspec.json.encode(record)


def _fields(rule: Rule, *, stamped: bool) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(replace(rule, enabled_at=None, ends=None))
    if stamped:
        return fields | {"enabled_at": ON_APPLY}
    return fields if rule.enabled_at is None else fields | {"enabled_at": format_instant(rule.enabled_at)}
