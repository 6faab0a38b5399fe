"""Decisions as lines, with what a test does not care about filled in."""

from typing import Any


def a_line(account: str = "a1", **fields: Any) -> dict[str, Any]:
    """A decision to send, as `simulate` writes it; its one dedup key follows from rule, account and subject."""
    line = {
        "rule": "past-due-7",
        "trigger": "invoice_past_due_for_days",
        "account_id": account,
        "subject": "invoice:i1:2026-06-03:7",
        "moment": "2026-06-10T13:00:00Z",
        "decided_at": "2026-06-10T13:00:00Z",
        "outcome": "sent",
        "reason": None,
    } | fields
    sent = line["outcome"] == "sent"
    key = f"{line['rule']}|{account}|{line['subject']}|c1|email"
    return {"recipients": ["c1@a1.example"] if sent else [], "dedup_keys": [key] if sent else []} | line
