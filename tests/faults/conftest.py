"""The broker and the names of tests/kafka."""

from tests.kafka.conftest import kafka, names

__all__ = ["kafka", "names"]
