"""What a message may name, of the facts as they are when it is sent (DOMAIN.md, section 8)."""

from datetime import UTC, date, datetime
from pathlib import Path

from msgspec.structs import asdict, replace

from app.config.check import load_dir
from app.dev.provider import history, span
from app.domain.job import Job
from app.domain.rules import Rulebook
from app.simulate.run import simulate
from app.triggers import REGISTRY
from app.triggers.base import Present
from tests.builders import a_book, a_company, a_rule, an_occasion, at

NOW = at("2026-06-12 12:00")


def test_of_a_job_its_type_time_and_technician() -> None:
    job = Job("j1", "install", at("2026-06-15 09:00"), at("2026-06-15 11:00"), "Kim Ito")
    present = Present(replace(a_book(), jobs={"j1": job}), a_company(), date(2026, 6, 12), NOW)
    occasion = an_occasion(a_rule("job_scheduled"), "job:j1:20260615T140000Z:jobs:1", about="j1")
    assert asdict(REGISTRY["job_scheduled"].message(present, occasion)) == {
        "account_name": "Ann",
        "account_number": None,
        "job_type": "install",
        "starts_at": datetime(2026, 6, 15, 13, tzinfo=UTC),
        "ends_at": datetime(2026, 6, 15, 15, tzinfo=UTC),
        "technician": "Kim Ito",
    }


def test_of_a_signed_copy_where_it_is() -> None:
    present = Present(a_book(), a_company(), date(2026, 6, 12), NOW)
    rule = a_rule("contract_signed_copy")
    occasion = an_occasion(rule, "contract:k1:jobs:1", about="k1", facts={"copy_url": "https://isp.example/k1"})
    message = asdict(REGISTRY["contract_signed_copy"].message(present, occasion))
    assert message == {"account_name": "Ann", "account_number": None, "copy_url": "https://isp.example/k1"}


def test_every_trigger_has_a_message_for_what_it_sends() -> None:
    """Of the demonstration's two months, in which each has something to send."""
    config = load_dir(Path(__file__).parents[3] / "deploy" / "config", REGISTRY)
    decisions, _ = simulate(history(60), Rulebook(config.rules, config.companies), span())
    composed = {decision.trigger: type(decision.message) for decision in decisions if decision.message is not None}
    assert composed == {name: trigger.variables for name, trigger in REGISTRY.items()}
