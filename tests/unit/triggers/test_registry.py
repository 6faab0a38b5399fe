"""The triggers are found by being there, and each says all that is asked of it."""

import inspect
from pathlib import Path

import pytest

from app import triggers
from app.engine.zones import ANCHORS
from app.triggers import DAY_TRIGGERS, EVENT_TRIGGERS, REGISTRY
from app.triggers.base import AccountVariables, DayTrigger, EventTrigger, UserVariables

FOLDER = Path(triggers.__file__).parent


def test_each_file_is_a_trigger_named_by_its_id() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} - {"__init__", "base"} == set(REGISTRY)


def test_there_are_23_six_of_them_for_days() -> None:
    assert len(REGISTRY) == 23
    assert [trigger.id for trigger in DAY_TRIGGERS] == [
        "account_becomes_delinquent",
        "credit_card_expiring",
        "invoice_becomes_delinquent_in_days",
        "invoice_delinquent_for_days",
        "invoice_due_in_days",
        "invoice_past_due_for_days",
    ]
    assert len(EVENT_TRIGGERS) == 17


@pytest.mark.parametrize("trigger", EVENT_TRIGGERS, ids=lambda trigger: trigger.id)
def test_an_event_trigger_is_shown_the_kind_of_fact_that_it_takes(trigger: EventTrigger) -> None:
    *_, taken = inspect.signature(trigger.occurs, eval_str=True).parameters.values()
    assert taken.annotation is trigger.data


def test_those_that_take_an_x_say_the_least() -> None:
    assert {trigger.id: trigger.x_min for trigger in REGISTRY.values() if trigger.x_min is not None} == {
        "credit_card_expiring": 1,
        "invoice_becomes_delinquent_in_days": 1,
        "invoice_delinquent_for_days": 1,
        "invoice_due_in_days": 0,
        "invoice_past_due_for_days": 1,
        "usage_reaches_percent": 1,
    }


def test_general_contacts_are_asked_for_by_those_that_are_not_about_money() -> None:
    assert {trigger.id for trigger in REGISTRY.values() if trigger.categories == ("general",)} == {
        "account_address_changed",
        "account_first_activated",
        "job_scheduled",
        "usage_reaches_percent",
    }
    assert {trigger.categories for trigger in REGISTRY.values()} == {("general",), ("financial",)}


def test_that_contact_or_user_is_asked_for_by_those_whose_event_names_one() -> None:
    audiences = {trigger.id: trigger.audience for trigger in REGISTRY.values() if trigger.audience != "account"}
    assert audiences == {
        "contact_password_changed": "contact",
        "contract_pending_signature": "contact",
        "contract_signed_copy": "contact",
        "invoice_emailed": "contact",
        "payment_receipt": "receipt",
        "user_created": "user",
        "user_forgot_password": "user",
    }


@pytest.mark.parametrize("trigger", DAY_TRIGGERS, ids=lambda trigger: trigger.id)
def test_a_day_trigger_counts_from_dates_that_the_index_has(trigger: DayTrigger) -> None:
    assert trigger.anchors
    assert set(trigger.anchors) <= set(ANCHORS)


@pytest.mark.parametrize("trigger", REGISTRY.values(), ids=lambda trigger: trigger.id)
def test_a_trigger_s_variables_name_its_account_or_only_its_user(
    trigger: DayTrigger | EventTrigger,
) -> None:
    base = UserVariables if trigger.audience == "user" else AccountVariables
    assert issubclass(trigger.variables, base)
    assert trigger.template == trigger.id
