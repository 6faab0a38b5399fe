"""The promise, checked: what was decided and delivered against what `simulate` decides."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

SHOWN: Final = 5
"""Differences that are shown."""

Line = Mapping[str, Any]
Identity = tuple[Any, ...]


@dataclass(frozen=True)
class Comparison:
    """`found` things against `expected` ones; each difference as a line for people."""

    found: int
    expected: int
    lost: Sequence[str]
    doubled: Sequence[str]
    different: Sequence[str] = ()
    """Decided both here and there, but otherwise."""
    unexpected: Sequence[str] = ()

    @property
    def equal(self) -> bool:
        """Tell whether there is no difference."""
        return not (self.lost or self.doubled or self.different or self.unexpected)

    @property
    def counts(self) -> str:
        """Return `lost 0 · doubled 0`, and what else there is."""
        said = [f"lost {len(self.lost):,}", f"doubled {len(self.doubled):,}"]
        more = (("different", self.different), ("unexpected", self.unexpected))
        return " · ".join(said + [f"{name} {len(those):,}" for name, those in more if those])

    @property
    def differences(self) -> list[str]:
        """Return the first few, each behind its kind."""
        kinds = {
            "lost": self.lost,
            "doubled": self.doubled,
            "different": self.different,
            "unexpected": self.unexpected,
        }
        return [f"{kind}: {each}" for kind, those in kinds.items() for each in those[:SHOWN]]


def decisions_line(comparison: Comparison) -> str:
    """Return `4,812 decisions = simulate's 4,812 · lost 0 · doubled 0`."""
    sign = "=" if comparison.equal else "≠"
    return f"{comparison.found:,} decisions {sign} simulate's {comparison.expected:,} · {comparison.counts}"


def mails_line(comparison: Comparison) -> str:
    """Return `3,906 notifications sent = 3,906 mails in the mailbox · lost 0 · doubled 0`."""
    sign = "=" if comparison.equal else "≠"
    return (
        f"{comparison.expected:,} notifications sent {sign} {comparison.found:,} mails in the mailbox"
        f" · {comparison.counts}"
    )


def compare_decisions(found: Iterable[Line], simulated: Iterable[Line]) -> Comparison:
    """Compare decisions as `simulate` writes them (DOMAIN.md, section 7); more fields of `found` do not count.

    A decision is known by rule, account, subject and moment, and by whether it holds or is final.
    """
    mine, theirs = _by_identity(found), _by_identity(simulated)
    lost, doubled, different, unexpected = list[str](), list[str](), list[str](), list[str]()
    for identity in sorted(mine.keys() | theirs.keys(), key=str):
        ours, wanted = mine.get(identity, []), theirs.get(identity, [])
        if len(ours) < len(wanted):
            lost += [_told(line) for line in wanted[len(ours) :]]
        elif not wanted:
            unexpected.append(_told(ours[0]))
            doubled += map(_told, ours[1:])
        else:
            doubled += map(_told, ours[len(wanted) :])
            different += [_difference(*pair) for pair in zip(ours, wanted, strict=False) if not _same(*pair)]
    totals = sum(map(len, mine.values())), sum(map(len, theirs.values()))
    return Comparison(*totals, lost, doubled, different, unexpected)


def compare_mails(decisions: Iterable[Line], name_of: Callable[[str], str], mailbox: Mapping[str, int]) -> Comparison:
    """Compare the dedup keys of what is sent with how often each Message-ID came.

    `name_of` gives a key's local part. What is only held has keys, too, and no mail.
    """
    keys = {name_of(key): key for line in decisions if line["outcome"] == "sent" for key in line["dedup_keys"]}
    wanted = Counter(keys.keys())
    came = Counter[str]()
    for message_id, count in mailbox.items():
        came[message_id.strip("<> ").partition("@")[0]] += count
    return Comparison(
        found=came.total(),
        expected=wanted.total(),
        lost=sorted(keys[name] for name in wanted - came),
        doubled=sorted(keys.get(name, name) for name, count in came.items() if count > 1),
        unexpected=sorted(name for name in came if name not in wanted),
    )


def _by_identity(lines: Iterable[Line]) -> dict[Identity, list[Line]]:
    grouped: dict[Identity, list[Line]] = defaultdict(list)
    for line in lines:
        held = line["outcome"] == "held"
        grouped[line["rule"], line["account_id"], line["subject"], line["moment"], held].append(line)
    return grouped


def _same(ours: Line, wanted: Line) -> bool:
    return all(ours.get(field) == value for field, value in wanted.items())


def _told(line: Line) -> str:
    reason = f": {line['reason']}" if line.get("reason") else ""
    return f"{line['rule']} {line['account_id']} {line['subject']} at {line['moment']} {line['outcome']}{reason}"


def _difference(ours: Line, wanted: Line) -> str:
    fields = ", ".join(
        f"{name} {ours.get(name)} instead of {value}" for name, value in wanted.items() if ours.get(name) != value
    )
    return f"{_told(ours)}: {fields}"
