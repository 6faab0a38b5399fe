import json
from datetime import date

import pytest
from msgspec.structs import replace

from app.config.check import Config
from app.config.record import RecordError, next_record, next_switches, read, read_record
from app.contract.instants import DAY, SECOND, Instant, parse_instant
from app.domain.builtin import BUILT_IN, BUILT_IN_BY_ID
from app.domain.companies import Company, EarlierZone, Exclusion, Holidays
from app.domain.rules import Filters, Hours, Late, Rule
from app.domain.switches import Guard, Kill, Switches, Trip, TripId

T = parse_instant("2026-06-01T00:00:00Z")
ACME = Company(
    id="acme",
    name="Acme",
    from_name="Acme",
    from_address="a@acme.example",
    time_zone="UTC",
    exclusions=(Exclusion(weekday=6),),
)
PAST_DUE = Rule(id="past-due", trigger="invoice_past_due_for_days", x=7)
FAILED = Rule(id="failed", trigger="payment_failed", late=Late("skip", DAY), categories=("general",))


def a_config(*rules: Rule, companies: tuple[Company, ...] = (ACME,)) -> Config:
    return Config(rules, {company.id: company for company in companies})


class Topic:
    """What `config apply` does to the topic, without Kafka: `at` is the broker's time of the newest record."""

    def __init__(self) -> None:
        self.value: bytes | None = None
        self.at: Instant = 0

    def apply(self, at: Instant, wanted: Config, *, as_written: bool = False) -> bool:
        record = next_record(self.value, self.at, wanted, as_written=as_written)
        if record is None:
            return False
        self.value, self.at = record, at
        return True

    def config(self) -> Config:
        return read(self.value, self.at).config

    def rule(self, rule_id: str) -> Rule:
        return next(rule for rule in self.config().rules if rule.id == rule_id)

    def switch(self, at: Instant, switches: Switches) -> bool:
        assert self.value is not None
        record = next_switches(self.value, self.at, lambda _: switches)
        if record is None:
            return False
        self.value, self.at = record, at
        return True

    def versions(self, rule_id: str) -> list[tuple[int, int | None, bool, Instant | None]]:
        assert self.value is not None
        book = read_record(self.value, self.at, 0)
        return [(v.version, v.x, v.enabled, v.enabled_at) for v in book.versions(rule_id)]


def test_what_is_new_is_in_force_30_seconds_after_its_record() -> None:
    topic = Topic()
    assert topic.apply(T, a_config(PAST_DUE, FAILED))
    assert topic.versions("past-due") == [(1, 7, True, T + 30 * SECOND)]
    assert topic.config().companies == {"acme": ACME}
    assert replace(topic.rule("failed"), enabled_at=None) == FAILED


def test_an_apply_that_changes_nothing_writes_nothing() -> None:
    topic = Topic()
    topic.apply(T, a_config(PAST_DUE, FAILED))
    assert not topic.apply(T + DAY, a_config(FAILED, PAST_DUE))


def test_the_first_apply_writes_even_an_empty_configuration() -> None:
    topic = Topic()
    assert topic.apply(T, a_config(companies=()))
    assert not topic.apply(T + DAY, a_config(companies=()))


def test_a_changed_rule_is_counted_up_and_an_unchanged_one_keeps_its_stamp() -> None:
    topic = Topic()
    topic.apply(T, a_config(PAST_DUE, FAILED))
    topic.apply(T + DAY, a_config(replace(PAST_DUE, x=5), FAILED))
    topic.apply(T + 2 * DAY, a_config(replace(PAST_DUE, x=3), FAILED))
    assert topic.versions("past-due") == [
        (1, 7, True, T + 30 * SECOND),
        (2, 5, True, T + DAY + 30 * SECOND),
        (3, 3, True, T + 2 * DAY + 30 * SECOND),
    ]
    assert topic.versions("failed") == [(1, None, True, T + 30 * SECOND)]


def test_a_rule_no_longer_written_gets_a_last_version_that_is_disabled_and_may_come_back() -> None:
    topic = Topic()
    topic.apply(T, a_config(PAST_DUE, FAILED))
    topic.apply(T + DAY, a_config(FAILED))
    assert not topic.apply(T + 2 * DAY, a_config(FAILED))
    topic.apply(T + 3 * DAY, a_config(PAST_DUE, FAILED))
    assert [(version, enabled) for version, _, enabled, _ in topic.versions("past-due")] == [
        (1, True),
        (2, False),
        (3, True),
    ]


def test_a_company_that_changes_alone_touches_no_rule() -> None:
    topic = Topic()
    topic.apply(T, a_config(PAST_DUE))
    assert topic.apply(T + DAY, a_config(PAST_DUE, companies=(replace(ACME, time_zone="Europe/Berlin"),)))
    assert topic.versions("past-due") == [(1, 7, True, T + 30 * SECOND)]
    assert topic.config().companies["acme"].time_zone == "Europe/Berlin"


def test_what_the_file_says_of_enabled_at_and_version_is_stamped_over() -> None:
    topic = Topic()
    written = replace(PAST_DUE, enabled_at=T - 900 * DAY, version=9)
    topic.apply(T, a_config(written, replace(written, x=5, enabled_at=T - 800 * DAY, version=10)))
    assert topic.versions("past-due") == [(1, 5, True, T + 30 * SECOND)]
    assert not topic.apply(T + DAY, a_config(replace(PAST_DUE, x=5)))


def test_as_written_stamps_nothing() -> None:
    topic = Topic()
    newer = replace(PAST_DUE, x=5, enabled_at=T, version=2)
    topic.apply(T + DAY, a_config(PAST_DUE, newer), as_written=True)
    assert topic.versions("past-due") == [(1, 7, True, None), (2, 5, True, T)]
    assert not topic.apply(T + 2 * DAY, a_config(PAST_DUE, newer), as_written=True)
    assert topic.apply(T + 2 * DAY, a_config(PAST_DUE), as_written=True)
    assert topic.versions("past-due") == [(1, 7, True, None)]


def test_versions_that_ended_more_than_400_days_ago_are_no_longer_carried() -> None:
    topic = Topic()
    for day, x in ((0, 1), (100, 2), (520, 3), (530, 4)):
        topic.apply(T + day * DAY, a_config(replace(PAST_DUE, x=x)))
    assert [x for _, x, _, _ in topic.versions("past-due")] == [2, 3, 4]


def test_a_rule_removed_more_than_400_days_ago_is_forgotten_with_the_next_change() -> None:
    topic = Topic()
    topic.apply(T, a_config(PAST_DUE, FAILED))
    topic.apply(T + DAY, a_config(FAILED))
    topic.apply(T + 300 * DAY, a_config(replace(FAILED, template="a")))
    assert topic.versions("past-due")
    topic.apply(T + 500 * DAY, a_config(replace(FAILED, template="b")))
    assert not topic.apply(T + 501 * DAY, a_config(replace(FAILED, template="b")))
    topic.apply(T + 502 * DAY, a_config(replace(FAILED, template="c")))
    assert topic.versions("past-due") == []


def test_a_broker_whose_clock_was_set_back_puts_no_version_in_force_before_its_predecessor() -> None:
    topic = Topic()
    topic.apply(T, a_config(PAST_DUE))
    topic.apply(T - DAY, a_config(replace(PAST_DUE, x=5)))
    assert topic.versions("past-due") == [(1, 7, True, T + 30 * SECOND), (2, 5, True, T + 30 * SECOND)]


def test_a_rulebook_has_the_offset_of_its_record() -> None:
    record = next_record(None, 0, a_config(PAST_DUE), as_written=False)
    assert record is not None
    assert read_record(record, T, 41).offset == 41


def test_the_record_is_json_with_a_format() -> None:
    record = next_record(None, 0, a_config(PAST_DUE), as_written=False)
    assert record is not None
    assert json.loads(record) == {
        "format": 2,
        "rules": [
            {"id": "past-due", "trigger": "invoice_past_due_for_days", "x": 7, "enabled_at": "apply"},
            {"id": "user_created", "trigger": "user_created", "critical": True, "version": 0},
            {"id": "user_forgot_password", "trigger": "user_forgot_password", "critical": True, "version": 0},
        ],
        "companies": [
            {
                "id": "acme",
                "name": "Acme",
                "from_name": "Acme",
                "from_address": "a@acme.example",
                "time_zone": "UTC",
                "exclusions": [{"weekday": 6}],
            }
        ],
        "kill": {},
        "guard": {},
    }


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"", "cannot be read"),
        (b"\xff", "cannot be read"),
        (b'{"format": 3, "rules": "in another way"}', "has format 3, this version reads up to 2"),
        (b'{"format": 2, "rules": [], "companies": [], "kill": {"all": "yes"}}', "cannot be read"),
        (b'{"format": 1, "rules": []}', "cannot be read: .*companies"),
        (b'{"format": 1, "rules": [{"id": "a"}], "companies": []}', "cannot be read: .*trigger"),
        (b'{"format": 1, "rules": [{"id": "a", "trigger": "t", "enabled_at": 5}], "companies": []}', "cannot be read"),
        (
            b'{"format": 1, "rules": [{"id": "a", "trigger": "t", "enabled_at": "x"}], "companies": []}',
            "cannot be read",
        ),
    ],
)
def test_a_record_that_cannot_be_read_is_an_error_and_never_half_taken(value: bytes, said: str) -> None:
    with pytest.raises(RecordError, match=said):
        read_record(value, T, 0)


def test_every_option_comes_back_as_it_was_applied() -> None:
    rule = replace(
        PAST_DUE,
        when=Filters(company=("acme",), minimum_amount=5, minimum_currency="USD", include_child_accounts=False),
        hours=Hours(any_time=True, weekdays=(0, 4), skip_holidays=True),
        critical=True,
        cap=2,
    )
    company = replace(
        ACME,
        holidays=Holidays("US", "IL", (date(2026, 12, 24),), (date(2026, 10, 12),)),
        window=(480, 1440),
        weekdays=(0, 1),
        skip_holidays=False,
    )
    topic = Topic()
    topic.apply(T, a_config(rule, companies=(company,)))
    assert topic.rule("past-due") == replace(rule, enabled_at=T + 30 * SECOND)
    assert topic.config().companies == {"acme": company}


def test_a_record_of_format_1_is_read_and_gets_the_built_in_rules() -> None:
    rule = b'{"id": "failed", "trigger": "payment_failed", "enabled_at": "apply"}'
    old = b'{"format": 1, "rules": [' + rule + b'], "companies": []}'
    found = read(old, T)
    assert found.config.rules == (
        *BUILT_IN,
        Rule(id="failed", trigger="payment_failed", enabled_at=T + 30 * SECOND),
    )
    assert found.switches == Switches()
    assert next_record(old, T, Config((Rule(id="failed", trigger="payment_failed"),), {}), as_written=False) is None


def test_built_in_rules_are_in_force_since_ever_from_the_first_apply() -> None:
    topic = Topic()
    topic.apply(T, a_config(PAST_DUE))
    assert topic.versions("user_created") == [(0, None, True, None)]


def test_a_changed_built_in_rule_is_stamped_and_goes_back_when_its_entry_is_gone() -> None:
    own = replace(BUILT_IN_BY_ID["user_created"], template="own", version=1)
    topic = Topic()
    topic.apply(T, a_config(own))
    topic.apply(T + DAY, a_config())
    assert not topic.apply(T + 2 * DAY, a_config())
    assert topic.versions("user_created") == [
        (0, None, True, None),
        (1, None, True, T + 30 * SECOND),
        (2, None, True, T + DAY + 30 * SECOND),
    ]
    assert [rule.template for rule in topic.config().rules if rule.id == "user_created"] == [None, "own", None]


def test_a_built_in_rule_changed_long_ago_is_carried_without_its_first_version() -> None:
    own = replace(BUILT_IN_BY_ID["user_created"], template="own")
    topic = Topic()
    topic.apply(T, a_config(own))
    topic.apply(T + 500 * DAY, a_config(own, PAST_DUE))
    topic.apply(T + 1000 * DAY, a_config(own, FAILED))
    assert [version for version, *_ in topic.versions("user_created")] == [0, 1]
    assert not topic.apply(T + 1001 * DAY, a_config(own, FAILED))


KILLED = Switches(Kill(companies=("acme",)))
TRIP = Trip(TripId("past-due", 3, T), recipients=1_200, limit=1_000)


def test_switches_are_in_force_with_their_record() -> None:
    topic = Topic()
    topic.apply(T, a_config(PAST_DUE))
    assert topic.switch(T + DAY, Switches(Kill(all=True), Guard(open=(TRIP,))))
    assert topic.value is not None
    book = read_record(topic.value, topic.at, 7)
    assert book.killed("acme")
    assert book.switches.guard.trips("past-due")
    assert book.switches.guard.open == (TRIP,)


def test_a_switch_leaves_rules_and_companies_as_they_are() -> None:
    topic = Topic()
    topic.apply(T, a_config(PAST_DUE, FAILED))
    before = topic.config()
    topic.switch(T + DAY, KILLED)
    assert topic.config() == before


def test_a_switch_that_changes_nothing_writes_nothing() -> None:
    topic = Topic()
    topic.apply(T, a_config(PAST_DUE))
    assert not topic.switch(T + DAY, Switches())
    assert topic.switch(T + DAY, KILLED)
    assert not topic.switch(T + 2 * DAY, KILLED)


@pytest.mark.parametrize("as_written", [False, True])
def test_an_apply_leaves_the_switches_as_they_are(*, as_written: bool) -> None:
    topic = Topic()
    topic.apply(T, a_config(PAST_DUE))
    topic.switch(T + DAY, Switches(Kill(all=True), Guard(open=(TRIP,))))
    assert topic.apply(T + 2 * DAY, a_config(FAILED), as_written=as_written)
    assert read(topic.value, topic.at).switches == Switches(Kill(all=True), Guard(open=(TRIP,)))


def test_releases_older_than_400_days_are_no_longer_carried() -> None:
    topic = Topic()
    topic.apply(T, a_config(PAST_DUE))
    topic.switch(T + DAY, Switches(guard=Guard(released=(TRIP.id,))))
    topic.apply(T + 400 * DAY, a_config(PAST_DUE, FAILED))
    topic.apply(T + 401 * DAY, a_config(PAST_DUE))
    assert read(topic.value, topic.at).switches.guard.released == (TRIP.id,)
    topic.apply(T + 402 * DAY, a_config(PAST_DUE, FAILED))
    assert read(topic.value, topic.at).switches.guard.released == ()


def test_a_company_s_earlier_time_zone_is_noted_until_30_seconds_after_the_record_that_changed_it() -> None:
    topic = Topic()
    berlin, tokyo = (replace(ACME, time_zone=zone) for zone in ("Europe/Berlin", "Asia/Tokyo"))
    topic.apply(T, a_config())
    assert topic.config().companies["acme"].earlier == ()
    assert topic.apply(T + DAY, a_config(companies=(berlin,)))
    first = EarlierZone("UTC", T + DAY + 30 * SECOND)
    assert topic.config().companies["acme"] == replace(berlin, earlier=(first,))
    assert not topic.apply(T + 2 * DAY, a_config(companies=(berlin,)))
    assert topic.apply(T + 2 * DAY, a_config(PAST_DUE, companies=(berlin,)))
    assert topic.config().companies["acme"].earlier == (first,)
    assert topic.apply(T + 2 * DAY, a_config(PAST_DUE, companies=(tokyo,)))
    second = EarlierZone("Europe/Berlin", T + 2 * DAY + 30 * SECOND)
    assert topic.config().companies["acme"].earlier == (first, second)
    assert topic.apply(T + 402 * DAY, a_config(PAST_DUE, companies=(ACME,)))
    assert topic.apply(T + 403 * DAY, a_config(PAST_DUE, companies=(tokyo,)))
    assert [each.zone for each in topic.config().companies["acme"].earlier] == ["Europe/Berlin", "Asia/Tokyo", "UTC"]


def test_a_broker_s_clock_set_back_puts_no_zone_before_the_one_that_it_replaces() -> None:
    topic = Topic()
    for day, zone in ((3, "UTC"), (3, "Asia/Tokyo"), (1, "Europe/Berlin")):
        topic.apply(T + day * DAY, a_config(companies=(replace(ACME, time_zone=zone),)))
    first, second = topic.config().companies["acme"].earlier
    assert first.until == second.until == T + 3 * DAY + 30 * SECOND


def test_as_written_no_change_of_zone_is_stamped() -> None:
    topic = Topic()
    topic.apply(T, a_config(), as_written=True)
    topic.apply(T + DAY, a_config(companies=(replace(ACME, time_zone="Asia/Tokyo"),)), as_written=True)
    assert topic.config().companies["acme"].earlier == ()
