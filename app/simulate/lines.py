"""A decision as `simulate` and `decisions --json` write it (DOMAIN.md, section 7)."""

from typing import Any

import orjson

from app.contract.instants import format_instant
from app.domain.decision import Decision
from app.domain.keys import dedup_key
from app.domain.occasion import Outcome

WITH_RECIPIENTS = (Outcome.SENT, Outcome.HELD)


def as_line(decision: Decision) -> dict[str, Any]:
    """Return the decision as plain data, in the order of DOMAIN.md's example."""
    to = decision.recipients if decision.outcome in WITH_RECIPIENTS else ()
    return {
        "rule": decision.rule,
        "trigger": decision.trigger,
        "account_id": decision.account_id,
        "subject": decision.subject,
        "moment": format_instant(decision.moment),
        "decided_at": format_instant(decision.decided_at),
        "outcome": decision.outcome.value,
        "reason": decision.reason.value if decision.reason else None,
        "recipients": [r.address for r in to],
        "dedup_keys": [
            dedup_key(decision.rule, decision.account_id, decision.subject, r.recipient, r.channel) for r in to
        ],
    }


def encode_line(decision: Decision) -> bytes:
    """Return the decision as one line of JSON."""
    return orjson.dumps(as_line(decision)) + b"\n"
