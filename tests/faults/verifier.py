"""What is wrong with what came of a run, said from evidence alone: see evidence.py for where it comes from.

Each check returns a line for each thing that is wrong:

- `decisions(expected, found)`: missing and extra, both ways; order and `decided_at` do not matter.
- `mails(expected, accepted, deliveries, attempted, instead)`: lost, doubled, unknown, and whatever contradicts itself.
- `letters(expected, found, beside)`: dead letters by what they say, `beside` more of which it is not known.
- `state(place, journal, copies, index)`: rows, index, commit record and journal of every worker's copy.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.delivery.message import local_part
from app.engine.records import COMMIT_KEY
from tests.kafka.system import comparable

ENGINE = b"~"
FENCE = b"~fence"
UNSENT = frozenset({"rejected", "expired", "template_error", "suppressed", "withdrawn"})
"""Final outcomes that say why a mail was not handed over: a run names those that it has reason to expect."""


@dataclass(frozen=True)
class Mails:
    """What became of the mails that the decisions call for."""

    expected: int
    accepted: int
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unknown: int = 0
    """Reported `unknown_outcome`: may have arrived or not, and is not sent again."""
    wrong: list[str] = field(default_factory=list)
    """Whatever else the records say that cannot be."""


@dataclass(frozen=True)
class Copy:
    """One worker's copy of a partition's rows: what it holds, and up to which journal offset it says to."""

    worker: str
    offset: int
    rows: Mapping[bytes, bytes]
    entries: Sequence[tuple[bytes, bytes]]
    """(index key, row key), sorted."""
    commit: bytes | None = None
    """The commit record that it goes by."""


Said = tuple[str, str]
"""A dead letter's field and reason: see `gist`."""
JournalRecord = tuple[int, bytes, bytes | None]
"""Offset, key, value; None deletes the row."""


def decisions(
    expected: Sequence[dict[str, Any]], found: Sequence[dict[str, Any]]
) -> tuple[Counter[bytes], Counter[bytes]]:
    """Return the missing and the extra decisions."""
    wanted, there = comparable(expected), comparable(found)
    return wanted - there, there - wanted


def mails(
    expected: Iterable[dict[str, Any]],
    accepted: Mapping[str, int],
    deliveries: Sequence[dict[str, Any]],
    attempted: Collection[str],
    instead: Collection[str] = (),
) -> Mails:
    """Compare decisions, the relay's record and the deliveries.

    `accepted` counts by local part of the Message-ID, `deliveries` are without repeats, `attempted` are the dedup keys
    that were journaled `attempting`. A mail that was not taken over is lost, unless its outcome is unknown or one of
    `instead`.
    """
    keys = {local_part(key): key for each in expected if each["outcome"] == "sent" for key in each["dedup_keys"]}
    finals = _finals(deliveries)
    found = Mails(expected=len(keys), accepted=sum(accepted.values()))
    for mail, key in keys.items():
        _judge(found, key, accepted.get(mail, 0), finals.get(key, []), {"unknown_outcome", *instead})
    unknown = [key for key, outcomes in finals.items() if "unknown_outcome" in outcomes]
    found.wrong.extend(f"unknown outcome, but never attempted: {key}" for key in unknown if key not in attempted)
    found.wrong.extend(f"mail that nobody decided: {mail}" for mail in accepted if mail not in keys)
    found.wrong.extend(f"delivery that nobody decided: {key}" for key in finals if local_part(key) not in keys)
    return Mails(found.expected, found.accepted, found.lost, found.doubled, len(unknown), found.wrong)


def _finals(deliveries: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    finals: dict[str, list[str]] = {}
    for each in deliveries:
        if each["outcome"] != "deferred":
            finals.setdefault(each["dedup_key"], []).append(each["outcome"])
    return finals


def _judge(found: Mails, key: str, times: int, outcomes: list[str], instead: Collection[str]) -> None:
    """Put one mail's case under its heading, where there is something to say."""
    said = ", ".join(outcomes) or "nothing"
    if times > 1:
        found.doubled.append(f"taken {times} times by the relay: {key} ({said})")
    if not times and set(outcomes).isdisjoint(instead):
        found.lost.append(f"never taken by the relay: {key} ({said})")
    if times and UNSENT.intersection(outcomes):
        found.wrong.append(f"taken by the relay, but reported as {said}: {key}")
    if len(outcomes) != 1:
        found.wrong.append(f"{len(outcomes)} last words instead of one: {key} ({said})")


def gist(field: str, reason: str) -> Said:
    """Return what a letter says, without the reader's own words: of a line that was cut off they depend on its end."""
    return field, reason.partition(":")[0]


def letters(expected: Counter[Said], found: Iterable[dict[str, Any]], beside: int = 0) -> list[str]:
    """Return what is missing of the dead letters, and what is too much, by (field, reason)."""
    there = Counter(gist(each["field"], each["reason"]) for each in found)
    missing, extra = expected - there, there - expected
    wrong = [f"{times} dead letters missing: {which}" for which, times in missing.items()]
    if extra.total() != beside:
        wrong.append(f"{extra.total()} dead letters beside those of the load instead of {beside}: {dict(extra)}")
    return wrong


def state(
    place: str,
    journal: Sequence[JournalRecord],
    copies: Sequence[Copy],
    index: Callable[[bytes, bytes], Iterable[bytes]],
) -> list[str]:
    """Return what differs: each copy from the journal up to its offset, its index from its rows, the newest's offset.

    Of the journal's commit records a copy has the newest up to its offset: where its inputs go on, and what was sent.

    To be asked once all workers have ended well. `place` names app and partition. A fence at the journal's end may be
    in no copy: a worker that is told to end while it opens a lane leaves it, and no row with it.
    """
    wrong = []
    for copy in copies:
        where = f"{place} of {copy.worker}"
        wanted = rows_of(each for each in journal if each[0] <= copy.offset)
        wrong += [f"{where}: row {key!r} differs from the journal's" for key in differing(wanted, copy.rows)]
        commit = max(
            ((at, value) for at, key, value in journal if key == COMMIT_KEY and at <= copy.offset), default=None
        )
        if copy.commit != (commit and commit[1]):
            wrong.append(f"{where}: the commit record differs from the journal's")
        derived = sorted((entry, key) for key, value in copy.rows.items() for entry in index(key, value))
        if derived != list(copy.entries):
            odd = sorted(set(derived) ^ set(copy.entries))
            wrong.append(f"{where}: the index differs from the rows: {odd[:3]}")
    end = max((offset for offset, _, _ in journal), default=-1)
    last = max((offset for offset, key, _ in journal if key != FENCE), default=-1)
    newest = max((copy.offset for copy in copies), default=-1)
    if not last <= newest <= end:
        wrong.append(f"{place}: the newest copy stands at {newest}, the journal ends with {end}, its rows with {last}")
    return wrong


def rows_of(journal: Iterable[JournalRecord]) -> dict[bytes, bytes]:
    """Return the rows that journal records amount to, without the engine's own."""
    rows: dict[bytes, bytes] = {}
    for _, key, value in journal:
        if key.startswith(ENGINE):
            continue
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = value
    return rows


def differing(one: Mapping[bytes, bytes], other: Mapping[bytes, bytes]) -> list[bytes]:
    """Return the keys whose values differ, or that only one has."""
    return sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
