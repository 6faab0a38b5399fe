"""The due index asked: which accounts may have something due, found by date without reading the others.

Its keys (see `filing`) are `anchor|zone|date|account|id`. X is in none of them, so changing rules rewrites nothing. The
index only names accounts that may be due; `coming.due` decides. (ARCHITECTURE.md, section 4.)
"""

from collections.abc import Iterator
from datetime import date, timedelta

from app.contract.instants import Instant
from app.domain.calendar import MIDNIGHT, first_instant, local_day
from app.domain.delinquency import HORIZON
from app.domain.rules import Rule, Rulebook
from app.engine.coming import Stretch, may_apply
from app.engine.filing import IRREGULAR, READY, instant_key
from app.engine.txn import Txn
from app.engine.zones import ANCHORS, Zone, Zones
from app.triggers import DAY_TRIGGERS

ONE_DAY = timedelta(days=1)
LAST = b"\xff"
DAY_TRIGGER = {trigger.id: trigger for trigger in DAY_TRIGGERS}


def accounts_due(
    txn: Txn, rulebook: Rulebook, flips: Stretch, moments: Stretch, zones: Zones | None = None
) -> list[str]:
    """Return, sorted, the row ids of the accounts in which something may come up in the stretch.

    `moments` may begin later than `flips`: before `live_since` invoices are moved in, but nothing comes up. `zones` are
    the partition's, where somebody keeps them.
    """
    found = set(_awake(txn, flips.end))  # by now the index knows the batch's rows, and `zones` theirs
    for zone in (zones or Zones()).waking(txn, rulebook, flips):
        if zone.moves(flips):
            found.update(_all(txn, zone))
            continue
        found.update(_flipping(txn, zone, flips))
        for minutes, rules in zone.hours.items():
            for day in _days(zone.name, minutes, moments):
                for rule in rules:
                    if may_apply(rule, moments):
                        found.update(_on(txn, zone, rule, day))
    return sorted(found)


def expired(txn: Txn, now: Instant, limit: int) -> list[bytes]:
    """Return the keys of rows whose time to be forgotten has come, at most `limit`."""
    return [row for _, row in txn.due(b"expires|", instant_key("expires", now, ""), limit)]


def held_open(txn: Txn) -> Iterator[str]:
    """Yield the row ids of the accounts in which something is held until the configuration changes."""
    for index_key, _ in txn.due(b"switch|", b"switch|" + LAST):
        yield index_key.decode().split("|", 2)[1]


def _awake(txn: Txn, end: Instant) -> Iterator[str]:
    for index_key, _ in txn.due(b"wake|", instant_key("wake", end, "")):
        yield index_key.decode().split("|")[2]


def _all(txn: Txn, zone: Zone) -> Iterator[str]:
    """Yield the accounts that have anything filed in the zone: where it changes, days may be jumped over, or begin."""
    for anchor in ANCHORS:
        yield from _between(txn, anchor, zone, date.min, date.max)


def _days(zone: str, minutes: int, stretch: Stretch) -> Iterator[date]:
    """Yield the local days whose moment lies in the stretch."""
    if stretch.begin >= stretch.end:
        return
    day, last = local_day(zone, stretch.begin) - ONE_DAY, local_day(zone, stretch.end)
    while day <= last:
        if stretch.begin <= first_instant(zone, day, minutes) < stretch.end:
            yield day
        day += ONE_DAY


def _flipping(txn: Txn, zone: Zone, stretch: Stretch) -> Iterator[str]:
    """Yield the accounts with an invoice that a midnight of the stretch may move in, or one before should have."""
    last = local_day(zone.name, stretch.end - 1)
    if first_instant(zone.name, last, MIDNIGHT) >= stretch.begin:
        yield from _between(txn, READY, zone, date.min, last)
        yield from _between(txn, IRREGULAR, zone, date.min, last)


def _on(txn: Txn, zone: Zone, rule: Rule, day: date) -> Iterator[str]:
    """Yield the accounts that the rule may concern on the local day."""
    trigger = DAY_TRIGGER[rule.trigger]
    anchored = trigger.anchored(day, rule.x or 0)
    for anchor in trigger.anchors:
        if anchor == READY:
            yield from _between(txn, READY, zone, _before_exclusions(zone, anchored), anchored)
            yield from _between(txn, IRREGULAR, zone, date.min, anchored)
        else:
            yield from _between(txn, anchor, zone, anchored, anchored)


def _before_exclusions(zone: Zone, day: date) -> date:
    """Return the first of the days from which exclusions may defer a flip to `day`."""
    first = day
    while day - first < HORIZON and any(company.excludes(first - ONE_DAY) for company in zone.companies):
        first -= ONE_DAY
    return first


def _between(txn: Txn, anchor: str, zone: Zone, first: date, last: date) -> set[str]:
    lo = f"{anchor}|{zone.key}|{'' if first == date.min else f'{first}|'}".encode()
    hi = f"{anchor}|{zone.key}|{last}|".encode() + LAST
    return {index_key.split(b"|", 4)[3].decode() for index_key, _ in txn.due(lo, hi)}
