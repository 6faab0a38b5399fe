"""The broker and the names of tests/kafka, and a line for each run at the session's end."""

import pytest

from tests.faults.results import this_session
from tests.kafka.conftest import kafka, names, own_kafka

__all__ = ["kafka", "names", "own_kafka", "pytest_terminal_summary"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if this_session:
        terminalreporter.section("runs under fire")
    for result in this_session:
        terminalreporter.line(result.line())
