"""What is wrong with a partition after a history: by what its topics, its journal and its rows hold."""

import json

from app.engine.records import COMMIT_KEY
from tests.engine.counting import Counting
from tests.engine.world import World


def wrongs(world: World) -> list[str]:
    """Return what was lost, counted or told twice, and what differs; empty where all is as it must be."""
    return [*_wrong_counts(world), *_wrong_outputs(world), *_wrong_reports(world), *_differences(world)]


def _wrong_counts(world: World) -> list[str]:
    found, expected = world.counts(), world.expected_counts()
    return [
        f"{key} was counted {found.get(key, 0)} times instead of {expected.get(key, 0)}"
        for key in sorted(found.keys() | expected.keys())
        if found.get(key, 0) != expected.get(key, 0)
    ]


def _wrong_outputs(world: World) -> list[str]:
    """Every fact is told of once; repeats are known by their ids."""
    by_id: dict[str, bytes] = {}
    wrong = [
        f"{sent.id} names two outputs"
        for sent in world.outputs.sent
        if by_id.setdefault(sent.id, sent.output.value) != sent.output.value
    ]
    told = sorted(json.loads(value)["fact"] for value in by_id.values() if b"fact" in value)
    facts = sorted(f"{topic}@{record.offset}" for topic in "ab" for record in world.logs[topic])
    wrong += [f"{fact} was not told of" for fact in sorted(set(facts) - set(told))]
    return wrong + [f"{fact} was told of twice" for fact in sorted(set(told)) if told.count(fact) > 1]


def _wrong_reports(world: World) -> list[str]:
    """A tick tells of a key at most once."""
    ids = {sent.id: sent.output.value for sent in world.outputs.sent if sent.output.topic == Counting.ticks_out}
    reports = list(ids.values())
    return [f"{report!r} was told twice" for report in sorted(set(reports)) if reports.count(report) > 1]


def _differences(world: World) -> list[str]:
    rows = dict(world.store.scan(b""))
    derived = sorted((index, key) for key, value in rows.items() for index in Counting().index(key, value))
    journal = {key: value for key, value in world.journal.records if not key.startswith(b"~")}
    commit = dict(world.journal.records).get(COMMIT_KEY)
    return [
        what
        for what, differs in (
            ("the index is not that of the rows", world.store.due(b"", b"\xff") != derived),
            ("the rows are not those of the journal", rows != journal),
            ("the commit record is not the journal's", world.store.get(COMMIT_KEY) != commit),
        )
        if differs
    ]
