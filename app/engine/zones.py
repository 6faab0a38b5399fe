"""The zones under which a partition's accounts are filed, and when each next has a midnight or a `send.at`.

Most ticks find neither in any zone: they cost one comparison a zone (ARCHITECTURE.md, section 4).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from app.contract.instants import DAY, LATEST, Instant
from app.domain import keys
from app.domain.calendar import MIDNIGHT, days_after, first_instant, local_day, minutes_of
from app.domain.companies import Company
from app.domain.rules import Rule, Rulebook, send_at
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
    """One zone under which accounts are filed, and the companies that these may belong to.

    `hours`: the versions of day rules by each local time, in minutes after midnight, at which the zone has them.
    `moving`: the company whose zone it is; None for one that accounts have of their own.
    """

    key: str
    name: str
    companies: tuple[Company, ...]
    hours: Mapping[int, Sequence[Rule]]
    moving: Company | None = None

    def as_of(self, instant: Instant) -> "Zone":
        """Return the zone under the name that it has at the instant."""
        return self if self.moving is None else replace(self, name=self.moving.zone_at(instant))

    def moves(self, stretch: Stretch) -> bool:
        """Whether its company changes it in the stretch: every account that lives in it is looked at then."""
        return self.moving is not None and any(self.moving.moves(stretch.begin, stretch.end))


class Zones:
    """The zones of one partition: found in its index once, from then on by the keys that are written to it.

    It may know a zone that nothing is filed under any more, never the other way round.
    """

    def __init__(self) -> None:
        """Know none yet."""
        self._noted: set[str] = set()
        self._found = False
        self._rulebook: Rulebook | None = None
        self._zones: list[Zone] = []
        self._known = 0
        self._quiet: dict[str, tuple[Instant, Instant]] = {}
        self._all_quiet: tuple[Instant, Instant] = (0, 0)

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
        if self._rulebook is not rulebook or self._known != len(self._noted):
            zones = (_zone(key, rulebook) for key in sorted(self._noted))
            self._zones = [zone for zone in zones if zone is not None]
            self._rulebook, self._known, self._quiet, self._all_quiet = rulebook, len(self._noted), {}, (0, 0)
        begin, end = self._all_quiet
        if begin <= stretch.begin and stretch.end <= end:
            return
        for zone in self._zones:
            if not self._sleeps(zone, stretch):
                yield zone.as_of(stretch.begin)
        quiet = self._quiet.values()
        self._all_quiet = max((q[0] for q in quiet), default=0), min((q[1] for q in quiet), default=0)

    def _sleeps(self, zone: Zone, stretch: Stretch) -> bool:
        if stretch.end - stretch.begin >= SURE:
            return False
        begin, end = self._quiet.get(zone.key, (0, 0))
        if not begin <= stretch.begin < end:
            end = _next_moment(zone, stretch.begin)
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
        companies = tuple(rulebook.companies.values())
        return Zone(key, key, companies, _hours(companies, rulebook))
    company = rulebook.companies.get(company_id)
    if company is None:
        return None
    return Zone(key, company.time_zone, (company,), _hours((company,), rulebook), company if company.earlier else None)


def _hours(companies: Sequence[Company], rulebook: Rulebook) -> dict[int, list[Rule]]:
    hours: dict[int, list[Rule]] = {}
    for trigger in DAY_TRIGGERS:
        for rule_id in rulebook.rule_ids_of(trigger.id):
            for rule in rulebook.versions(rule_id):
                if rule.trigger == trigger.id:
                    for minutes in {minutes_of(send_at(rule, company)) for company in companies}:
                        hours.setdefault(minutes, []).append(rule)
    return hours


def _next_moment(zone: Zone, begin: Instant) -> Instant:
    """Return the first instant from `begin` on at which it has a midnight or some rule's `send.at`, or changes."""
    name = zone.as_of(begin).name
    today = local_day(name, begin)
    moments = [
        first_instant(name, days_after(today, ahead), m) for ahead in range(-1, 4) for m in {MIDNIGHT, *zone.hours}
    ]
    if zone.moving is not None:
        moments += zone.moving.moves(begin, LATEST)
    return min((moment for moment in moments if moment >= begin), default=begin)
