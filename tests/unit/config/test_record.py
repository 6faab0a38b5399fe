import json

import pytest
from msgspec.structs import replace

from app.config.changes import changes
from app.config.check import Config
from app.config.record import RecordError, next_record, read_config, read_record
from app.contract.instants import DAY, SECOND, Instant, parse_instant
from app.domain.companies import Company, Exclusion
from app.domain.rules import Late, Rule

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
        return read_config(self.value, self.at)

    def versions(self, rule_id: str) -> list[tuple[int, int | None, bool, Instant | None]]:
        assert self.value is not None
        book = read_record(self.value, self.at, 0)
        return [(v.version, v.x, v.enabled, v.enabled_at) for v in book.versions(rule_id)]


def test_what_is_new_is_in_force_30_seconds_after_its_record() -> None:
    topic = Topic()
    assert topic.apply(T, a_config(PAST_DUE, FAILED))
    assert topic.versions("past-due") == [(1, 7, True, T + 30 * SECOND)]
    assert topic.config().companies == {"acme": ACME}
    assert replace(topic.config().rules[0], enabled_at=None) == FAILED


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
        "format": 1,
        "rules": [{"id": "past-due", "trigger": "invoice_past_due_for_days", "x": 7, "enabled_at": "apply"}],
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
    }


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"", "cannot be read"),
        (b"\xff", "cannot be read"),
        (b'{"format": 2, "rules": "in another way"}', "has format 2, this version reads 1"),
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


def test_changes_name_each_rule_and_company_and_what_differs() -> None:
    before = a_config(PAST_DUE, FAILED, replace(FAILED, id="gone"), companies=(ACME, replace(ACME, id="old")))
    after = a_config(
        replace(
            PAST_DUE,
            x=5,
            enabled_at=T,
            version=2,
            categories=("general", "news"),
            late=Late("skip", 36 * 3600 * SECOND),
        ),
        FAILED,
        replace(FAILED, id="added", enabled_at=T),
        companies=(replace(ACME, exclusions=(Exclusion(day=25, month=12),)), replace(ACME, id="new")),
    )
    assert changes(before, after) == [
        "added: version 1, from 2026-06-01T00:00:00Z: new",
        "gone: forgotten",
        (
            "past-due: version 2, from 2026-06-01T00:00:00Z: x 7 -> 5, categories default -> [general, news], "
            "late send within 3d -> skip within 36h"
        ),
        "company acme: exclusions [weekday 6] -> [day 25 month 12]",
        "company new: new",
        "company old: removed",
    ]


def test_changes_of_a_disabled_rule_and_of_its_version_alone_are_said() -> None:
    before = a_config(PAST_DUE, FAILED)
    after = a_config(replace(PAST_DUE, enabled=False, version=2), replace(FAILED, version=2))
    assert changes(before, after) == [
        "failed: version 2, since ever: same definition",
        "past-due: version 2, since ever: enabled true -> false",
    ]
