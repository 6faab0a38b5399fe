"""The zones under which a partition's accounts are filed, and when each next has a midnight or a `send.at`.

Most ticks find neither in any zone: they cost one comparison a zone (ARCHITECTURE.md, section 4).
"""

from collections.abc import Iterable, Iterator

import msgspec

from app.contract.instants import DAY, Instant
from app.domain import keys
from app.domain.calendar import MIDNIGHT, days_after, first_instant, local_day, minutes_of
from app.domain.companies import Company
from app.domain.rules import Rulebook, send_at
from app.engine.coming import Stretch
from app.engine.txn import Txn
from app.triggers import DAY_TRIGGERS

ANCHORS = ("due", "ready", "irregular", "since", "episode", "card")
"""The parts of the index that file by zone and date: `anchor|zone|date|account|id`."""
SURE = 2 * DAY
"""So long a stretch has a midnight in every zone."""
_ANCHORS = frozenset(anchor.encode() for anchor in ANCHORS)
_LAST = b"\xff"


class Zone(msgspec.Struct, frozen=True):
    """One zone under which accounts are filed, and the companies that these may belong to."""

    key: str
    name: str
    companies: tuple[Company, ...]


class Zones:
    """The zones of one partition: found in its index once, from then on by the keys that are written to it.

    It may know a zone that nothing is filed under any more, never the other way round.
    """

    def __init__(self) -> None:
        """Know none yet."""
        self._noted: set[str] = set()
        self._found = False
        self._rulebook: Rulebook | None = None
        self._zones: dict[str, Zone] = {}
        self._quiet: dict[str, tuple[Instant, Instant]] = {}

    def note(self, index_keys: Iterable[bytes]) -> None:
        """Take in the zones of index keys that a row has; earlier ones are found when it is looked at."""
        if not self._found:
            return
        for index_key in index_keys:
            anchor, zone, _ = index_key.split(b"|", 2)
            if anchor in _ANCHORS:
                self._noted.add(zone.decode())

    def waking(self, txn: Txn, rulebook: Rulebook, stretch: Stretch) -> Iterator[Zone]:
        """Yield, by key, the zones with a midnight, or a `send.at` of some rule, within the stretch."""
        if not self._found:
            self._noted.update(_filed(txn))
            self._found = True
        if self._rulebook is not rulebook:
            self._rulebook, self._zones, self._quiet = rulebook, {}, {}
        for key in sorted(self._noted):
            zone = self._zones.get(key) or _zone(key, rulebook)
            if zone is None:
                continue
            self._zones[key] = zone
            if not self._sleeps(zone, rulebook, stretch):
                yield zone

    def _sleeps(self, zone: Zone, rulebook: Rulebook, stretch: Stretch) -> bool:
        if stretch.end - stretch.begin >= SURE:
            return False
        begin, end = self._quiet.get(zone.key, (0, 0))
        if not begin <= stretch.begin < end:
            end = _next_moment(zone, rulebook, stretch.begin)
            self._quiet[zone.key] = stretch.begin, end
        return stretch.end <= end


def _filed(txn: Txn) -> set[str]:
    found: set[str] = set()
    for anchor in ANCHORS:
        lo, hi = f"{anchor}|".encode(), f"{anchor}|".encode() + _LAST
        while entry := txn.due(lo, hi, 1):
            key = entry[0][0].decode().split("|")[1]
            lo = f"{anchor}|{key}|".encode() + _LAST
            found.add(key)
    return found


def _zone(key: str, rulebook: Rulebook) -> Zone | None:
    """Return the zone of an index key; None where its company is no longer configured."""
    company_id = keys.company_of_zone(key)
    if company_id is None:
        return Zone(key, key, tuple(rulebook.companies.values()))
    company = rulebook.companies.get(company_id)
    return None if company is None else Zone(key, company.time_zone, (company,))


def _next_moment(zone: Zone, rulebook: Rulebook, begin: Instant) -> Instant:
    """Return the first instant from `begin` on at which the zone has a midnight or some rule's `send.at`."""
    rules = {rule_id for trigger in DAY_TRIGGERS for rule_id in rulebook.rule_ids_of(trigger.id)}
    versions = [version for rule_id in rules for version in rulebook.versions(rule_id)]
    minutes = {minutes_of(send_at(version, company)) for version in versions for company in zone.companies}
    today = local_day(zone.name, begin)
    moments = [
        first_instant(zone.name, days_after(today, ahead), m) for ahead in range(-1, 4) for m in {MIDNIGHT, *minutes}
    ]
    return min((moment for moment in moments if moment >= begin), default=begin)
