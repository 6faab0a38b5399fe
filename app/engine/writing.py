"""Decisions and notifications as their topics hold them: JSON, keyed by account id."""

from collections.abc import Iterator
from typing import Any, Protocol

import orjson

from app.contract.instants import format_instant
from app.domain.decision import Decision
from app.domain.keys import dedup_key
from app.domain.occasion import Outcome
from app.domain.rules import Rulebook
from app.engine.outbox import Notification, SendingCompany, encode, pack_variables

FORMAT = 1


class OutputTopics(Protocol):
    """Where a decision's records go."""

    @property
    def decisions(self) -> str: ...
    @property
    def outbox(self) -> str: ...
    @property
    def returns(self) -> str: ...
    @property
    def dead_letters(self) -> str: ...
    @property
    def ticks(self) -> str: ...


def as_line(decision: Decision) -> dict[str, Any]:
    """Return the decision as `simulate` writes it (DOMAIN.md, section 7); only what is sent or held has recipients."""
    to = decision.recipients if decision.outcome in (Outcome.SENT, Outcome.HELD) else ()
    return {
        "rule": decision.rule,
        "trigger": decision.trigger,
        "account_id": decision.account_id,
        "subject": decision.subject,
        "moment": format_instant(decision.moment),
        "decided_at": format_instant(decision.decided_at),
        "outcome": decision.outcome.value,
        "reason": decision.reason.value if decision.reason else None,
        "recipients": [recipient.address for recipient in to],
        "dedup_keys": [_key(decision, recipient.recipient, recipient.channel) for recipient in to],
    }


def as_record(decision: Decision, config: int) -> bytes:
    """Return the record of whimbrel.decisions: the line, the rule's version, the facts, the configuration's offset."""
    more = {"version": decision.version, "config": config, "facts": decision.facts or {}}
    return orjson.dumps({"format": FORMAT, **as_line(decision), **more})


def notifications(decision: Decision, rulebook: Rulebook, *, fresh: bool) -> Iterator[bytes]:
    """Yield a record of whimbrel.outbox for each recipient of a decision to send."""
    company = rulebook.companies.get(decision.company_id or "")
    if decision.outcome is not Outcome.SENT or company is None:
        return
    variables = pack_variables(decision.message)
    sender = SendingCompany(
        id=company.id,
        name=company.name,
        from_name=company.from_name,
        from_address=company.from_address,
        reply_to=company.reply_to,
    )
    for to in decision.recipients:
        yield encode(
            Notification(
                dedup_key=_key(decision, to.recipient, to.channel),
                rule=decision.rule,
                version=decision.version,
                trigger=decision.trigger,
                template=decision.template or decision.trigger,
                account_id=decision.owner,
                user=decision.account_id is None,
                subject=decision.subject,
                x=decision.x,
                about=decision.about,
                channel=to.channel,
                recipient=to.recipient,
                address=to.address,
                name=to.name,
                language=to.language,
                locale=company.locale,
                time_zone=decision.time_zone or company.time_zone,
                company=sender,
                variables=variables,
                expires_at=None if decision.expires_at is None else format_instant(decision.expires_at),
                moment=format_instant(decision.moment),
                decided_at=format_instant(decision.decided_at),
                checked_at=format_instant(decision.decided_at),
                critical=decision.critical,
                fresh=fresh,
            )
        )


def _key(decision: Decision, recipient: str, channel: str) -> str:
    return dedup_key(decision.rule, decision.owner, decision.subject, recipient, channel)
