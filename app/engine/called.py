"""Which event rules a fact calls up (DOMAIN.md, sections 3 and 4)."""

from functools import lru_cache

from app.contract.codec import Fact
from app.contract.types import Data
from app.domain.book import Book
from app.domain.occasion import Occasion
from app.domain.rules import Rule, Rulebook
from app.engine.coming import applies
from app.triggers import EVENT_TRIGGERS
from app.triggers.base import EventTrigger, Occurrence


def called_up(before: Book, book: Book, fact: Fact, rulebook: Rulebook) -> list[Occasion]:
    """Return the occasions, in order of rule and subject, by the versions in force at the fact's time."""
    found: list[Occasion] = []
    for trigger in _looking_at(type(fact.data), rulebook):
        occurrence = trigger.occurs(before, book, fact, fact.data)
        if occurrence is not None:
            found += _occasions(trigger, occurrence, fact, rulebook)
    if len(found) > 1:
        found.sort(key=lambda occasion: (occasion.rule, occasion.subject))
    return found


@lru_cache(maxsize=256)
def _looking_at(data: type[Data], rulebook: Rulebook) -> list[EventTrigger]:
    """Return the triggers that such a fact concerns and that have rules."""
    return [trigger for trigger in EVENT_TRIGGERS if trigger.data is data and rulebook.rule_ids_of(trigger.id)]


def _occasions(trigger: EventTrigger, occurrence: Occurrence, fact: Fact, rulebook: Rulebook) -> list[Occasion]:
    return [
        _occasion(rule, occurrence, fact) for rule in _in_force(trigger, fact, rulebook) if _crossed(rule, occurrence)
    ]


def _in_force(trigger: EventTrigger, fact: Fact, rulebook: Rulebook) -> list[Rule]:
    found = (rulebook.in_force(rule_id, fact.time) for rule_id in rulebook.rule_ids_of(trigger.id))
    return [r for r in found if r is not None and r.enabled and r.trigger == trigger.id and applies(r, fact.time)]


def _crossed(rule: Rule, occurrence: Occurrence) -> bool:
    if occurrence.reached is None:
        return True
    return occurrence.reached_before < (rule.x or 0) <= occurrence.reached


def _occasion(rule: Rule, occurrence: Occurrence, fact: Fact) -> Occasion:
    names = occurrence.subject if occurrence.reached is None else f"{occurrence.subject}:{rule.x}"
    return Occasion(
        rule=rule.id,
        version=rule.version,
        trigger=rule.trigger,
        x=rule.x,
        subject=names,
        moment=fact.time,
        about=occurrence.about,
        facts=occurrence.facts or None,
        contact=occurrence.contact,
        expires_at=occurrence.expires_at,
    )
