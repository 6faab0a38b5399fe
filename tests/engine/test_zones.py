"""Which zones a tick wakes."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from app.contract.instants import DAY, HOUR, MINUTE, Instant, parse_instant
from app.domain.calendar import days_after, first_instant, local_day
from app.domain.companies import Company
from app.domain.rules import Rule, Rulebook
from app.engine.coming import Stretch
from app.engine.memory import MemoryStore
from app.engine.txn import Txn
from app.engine.zones import Zones

ZONES = ("America/New_York", "Europe/Berlin", "Asia/Kathmandu", "Pacific/Apia", "America/Scoresbysund")
BEGIN = parse_instant("2026-03-06T00:00:00Z")
COMPANY = Company(id="c", name="C", from_name="C", from_address="c@c.example", time_zone="UTC", send_at="08:30")
RULES = (
    Rule(id="a", trigger="invoice_past_due_for_days", x=7),
    Rule(id="b", trigger="invoice_due_in_days", x=0, send_at="02:30"),
)


def store(*index_keys: bytes) -> MemoryStore:
    """A store whose one row has these index keys."""
    filled = MemoryStore(lambda _key, _value: index_keys)
    filled.write({b"row": b""}, 0)
    return filled


def moments(zone: str, around: Instant) -> Iterator[Instant]:
    today = local_day(zone, around)
    return (first_instant(zone, days_after(today, n), m) for n in range(-3, 4) for m in (0, 150, 510))


@given(st.lists(st.integers(1, 30 * HOUR), min_size=1, max_size=40))
def test_a_zone_wakes_in_just_the_stretches_that_hold_one_of_its_moments(lengths: list[int]) -> None:
    rows = store(*(f"due|{zone}|2026-01-01|a|invoice/i".encode() for zone in ZONES))
    rulebook, zones = Rulebook(RULES, {"c": COMPANY}), Zones()
    begin = BEGIN
    for length in lengths:
        stretch = Stretch(begin, begin + length)
        woken = {zone.name for zone in zones.waking(Txn(rows), rulebook, stretch)}
        wanted = {zone for zone in ZONES if any(begin <= each < begin + length for each in moments(zone, begin))}
        assert woken == wanted
        begin += length


def test_zones_are_found_in_the_index_and_in_keys_written_since() -> None:
    rulebook, zones, day = Rulebook(RULES, {"c": COMPANY}), Zones(), Stretch(BEGIN, BEGIN + 3 * DAY)
    rows = store(b"since|Asia/Kathmandu|2026-01-01|a|invoice/i", b"wake|00000000000000000000|a")
    assert [zone.key for zone in zones.waking(Txn(rows), rulebook, day)] == ["Asia/Kathmandu"]
    zones.note([b"episode|company:c|2026-01-01|b|", b"expires|00000000000000000000|decided/b/r|s"])
    assert [zone.key for zone in zones.waking(Txn(rows), rulebook, day)] == ["Asia/Kathmandu", "company:c"]


def test_a_company_that_moves_or_goes_is_followed() -> None:
    zones, rows = Zones(), store(b"due|company:c|2026-01-01|a|invoice/i")
    night = Stretch(BEGIN, BEGIN + MINUTE)

    def woken(rulebook: Rulebook) -> list[str]:
        return [zone.name for zone in zones.waking(Txn(rows), rulebook, night)]

    assert woken(Rulebook(RULES, {"c": COMPANY})) == ["UTC"]
    berlin = replace(COMPANY, time_zone="Europe/Berlin")
    assert woken(Rulebook(RULES, {"c": berlin})) == []
    assert woken(Rulebook(RULES, {})) == []
