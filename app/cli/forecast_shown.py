"""What `whimbrel forecast` prints: for people in local time, or as JSON."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from app.contract.instants import Instant, datetime_of, format_instant
from app.domain.decision import Decision
from app.domain.occasion import Outcome
from app.engine.writing import as_line
from app.simulate.forecast import Ahead, Flip, Forecast, Prospect

LOCAL: Final = "%Y-%m-%d %a %H:%M"
DAY: Final = "%Y-%m-%d %a"
COUNTED: Final = ("mails", "sent", "skipped", "superseded")


def account_as_text(found: Forecast, ahead: Ahead, reached: Instant) -> Iterator[str]:
    """Yield a line for each thing that comes, in the account's local time."""
    account = found.book.account
    name = account.details.name if account.details else "not known yet"
    yield f"{found.book.id}  {name}  {found.zone}"
    yield (
        f"if nothing more happens, {_local(ahead.at, found.zone)} to {_local(ahead.until, found.zone)},"
        f" by what was read until {_local(reached, found.zone)}:"
    )
    lines = [(p.at, 1, f"{p.rule:<24}  {p.subject:<36}  {_becomes(p, found.zone)}") for p in found.prospects]
    lines += [(f.at, 0, f"{'':<24}  {'invoice:' + f.invoice_id:<36}  becomes delinquent") for f in found.flips]
    for instant, _, line in sorted(lines):
        yield f"{_local(instant, found.zone)}  {line}"
    if not lines:
        yield "nothing comes"


def account_as_json(found: Forecast, ahead: Ahead, reached: Instant) -> str:
    """Return one JSON object; `comes` are lines of `simulate` and `held`, `release` and the local time besides."""
    return _json(
        {
            "account_id": found.book.id,
            "company_id": found.book.company_id,
            "time_zone": found.zone,
            **_said(ahead, reached),
            "comes": [_prospect(prospect, found) for prospect in found.prospects],
            "delinquent": [_flip(flip) for flip in found.flips],
        }
    )


class Tally:
    """How much comes on which local day, of which rule: what is kept of the forecasts of many accounts."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.accounts = 0
        self.parked = 0
        """Left out: something raises over them."""
        self.delinquent: Counter[date] = Counter()
        self.held: Counter[tuple[str, str]] = Counter()
        self._counts: dict[tuple[date, str], Counter[str]] = {}

    def add(self, found: Forecast) -> None:
        """Count one account or login."""
        self.accounts += 1
        self.delinquent.update(flip.day for flip in found.flips)
        for prospect in found.prospects:
            if prospect.final is None:
                self.held[prospect.rule, prospect.held or ""] += 1
                continue
            counts = self._counts.setdefault((found.day(prospect.at), prospect.rule), Counter())
            counts[prospect.final.outcome.value] += 1
            counts["mails"] += prospect.recipients

    def days(self) -> Iterator[dict[str, Any]]:
        """Yield a row for each day and rule."""
        for (day, rule), counts in sorted(self._counts.items()):
            yield {"day": day, "rule": rule, **{name: counts[name] for name in COUNTED}}


def days_as_text(tally: Tally, ahead: Ahead, reached: Instant) -> Iterator[str]:
    """Yield a table: days are each account's own."""
    yield (
        f"if nothing more happens to {tally.accounts} accounts and logins, {format_instant(ahead.at)} to"
        f" {format_instant(ahead.until)}, by what was read until {format_instant(reached)}:"
    )
    yield f"{'day':<14}  {'rule':<28}" + "".join(f"{name:>12}" for name in COUNTED)
    lines = [(row["day"], 1, row["rule"], [row[name] for name in COUNTED]) for row in tally.days()]
    for day, _, rule, counts in sorted(lines):
        yield f"{day:{DAY}}  {rule:<28}" + "".join(f"{count:>12}" for count in counts)
    for day, count in sorted(tally.delinquent.items()):
        yield f"{day:{DAY}}  {count} invoices become delinquent"
    for (rule, reason), count in sorted(tally.held.items()):
        yield f"still held then: {count} of {rule} ({reason})"
    if tally.parked:
        yield f"left out: {tally.parked} accounts that are parked; whimbrel dead-letters list"


def days_as_json(tally: Tally, ahead: Ahead, reached: Instant) -> str:
    """Return one JSON object."""
    return _json(
        {
            "accounts": tally.accounts,
            "parked": tally.parked,
            **_said(ahead, reached),
            "days": list(tally.days()),
            "delinquent": [{"day": day, "invoices": count} for day, count in sorted(tally.delinquent.items())],
            "held": [
                {"rule": rule, "reason": reason, "decisions": count}
                for (rule, reason), count in sorted(tally.held.items())
            ],
        }
    )


def _becomes(prospect: Prospect, zone: str) -> str:
    final = prospect.final
    if final is None:
        until = "an operator lets it go" if prospect.release is None else _local(prospect.release, zone)
        return f"held ({prospect.held}) until {until}"
    said = final.outcome.value
    if final.reason is not None:
        said += ": " + final.reason.value.replace("_", " ")
    if final.outcome is Outcome.SENT:
        said += f" to {len(final.recipients)}: " + ", ".join(_names(final))
    if prospect.held is not None:
        said += f"; held ({prospect.held}) since {_local(prospect.moment, zone)}"
    return said


def _names(decision: Decision) -> Sequence[str]:
    return [recipient.recipient for recipient in decision.recipients]


def _prospect(prospect: Prospect, found: Forecast) -> dict[str, Any]:
    line = _held(prospect, found) if prospect.final is None else as_line(prospect.final)
    release = None if prospect.release is None else format_instant(prospect.release)
    local = _at(prospect.at, found.zone).isoformat(timespec="minutes")
    return line | {"held": prospect.held, "release": release, "local": local}


def _held(prospect: Prospect, found: Forecast) -> dict[str, Any]:
    return {
        "rule": prospect.rule,
        "trigger": prospect.trigger,
        "account_id": found.book.id,
        "subject": prospect.subject,
        "moment": format_instant(prospect.moment),
        "decided_at": None,
        "outcome": Outcome.HELD.value,
        "reason": prospect.held,
    }


def _flip(flip: Flip) -> dict[str, Any]:
    return {"invoice_id": flip.invoice_id, "delinquent_since": flip.day, "at": format_instant(flip.at)}


def _said(ahead: Ahead, reached: Instant) -> dict[str, str]:
    said = {"at": ahead.at, "until": ahead.until, "read_until": reached}
    return {name: format_instant(instant) for name, instant in said.items()}


def _json(said: dict[str, Any]) -> str:
    return orjson.dumps(said).decode()


def _at(instant: Instant, zone: str) -> datetime:
    return datetime_of(instant).astimezone(ZoneInfo(zone))


def _local(instant: Instant, zone: str) -> str:
    return _at(instant, zone).strftime(LOCAL)
