"""Two years of real invoices of 50 customers: every rule sends exactly what was counted independently of Whimbrel."""

import gzip
import json
import warnings
from collections import Counter
from pathlib import Path

import pytest

from app.cli.values import instant
from app.config.check import load_dir
from app.domain.rules import Rulebook
from app.simulate.run import Span, simulate
from app.triggers import REGISTRY

RECEIVABLES = Path(__file__).parents[2].parent / "shared" / "cases" / "receivables"


def test_each_rule_sends_as_many_messages_as_were_counted() -> None:
    if not RECEIVABLES.is_dir():
        warnings.warn(f"NOT TESTED on real invoices: {RECEIVABLES} is not there", stacklevel=1)
        pytest.skip(f"the data set of real invoices is not at {RECEIVABLES}; it is not part of this repository")
    counted = json.loads((RECEIVABLES / "public.json").read_bytes())
    written = load_dir(RECEIVABLES / "config", REGISTRY)
    span = Span(instant(counted["from"], "from"), instant(counted["until"], "until"))
    with gzip.open(RECEIVABLES / counted["events"]) as lines:
        decisions, breaches = simulate(lines, Rulebook(written.rules, written.companies), span)
    assert not breaches
    sent = Counter(decision.rule for decision in decisions if decision.outcome == "sent")
    assert sent == counted["sent"]
    assert len(decisions) == sum(sent.values()) == counted["total"]
