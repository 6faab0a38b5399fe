from datetime import date

from msgspec.structs import replace

from app.config.changes import changes
from app.config.check import Config
from app.contract.instants import SECOND
from app.domain.builtin import BUILT_IN, with_built_in
from app.domain.companies import Exclusion, Holidays
from app.domain.rules import Filters, Hours, Late
from tests.unit.config.test_record import ACME, FAILED, PAST_DUE, T, a_config


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
        "company acme: delinquency_exclusions [weekday 6] -> [day 25 month 12]",
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


def test_changes_of_options_are_said_by_the_names_that_they_have_in_the_files() -> None:
    before = a_config(
        replace(PAST_DUE, when=Filters(autopay=True), hours=Hours(window=(480, 1440), weekdays=(0, 4))),
        companies=(replace(ACME, send_at="09:00"),),
    )
    after = a_config(
        replace(
            PAST_DUE,
            when=Filters(company=("acme",), minimum_amount=500, minimum_currency="USD"),
            hours=Hours(any_time=True, skip_holidays=True),
            critical=True,
            cap=2,
            version=2,
        ),
        companies=(
            replace(
                ACME,
                holidays=Holidays("US", None, (date(2026, 12, 24),)),
                window=(1200, 390),
                weekdays=(0,),
                exclusions=(),
            ),
        ),
    )
    assert changes(before, after) == [
        (
            "past-due: version 2, since ever: when.company default -> [acme], when.autopay true -> default, "
            "when.minimum_balance.amount default -> 500, when.minimum_balance.currency default -> USD, "
            "send.window 08:00-24:00 -> default, send.window null false -> true, send.weekdays [mon, fri] -> default, "
            "send.skip_holidays default -> true, critical false -> true, cap.per_recipient_per_day default -> 2"
        ),
        (
            "company acme: send.at 09:00 -> default, delinquency_exclusions [weekday 6] -> [], "
            "holidays.country default -> US, holidays.dates [] -> [2026-12-24], send.window default -> 20:00-06:30, "
            "send.weekdays default -> [mon]"
        ),
    ]


def test_built_in_rules_are_said_only_where_they_change() -> None:
    before, own = Config(BUILT_IN, {}), replace(BUILT_IN[0], template="own", enabled_at=T, version=1)
    assert changes(before, Config(with_built_in([own]), {})) == [
        "user_created: version 1, from 2026-06-01T00:00:00Z: template default -> own"
    ]
