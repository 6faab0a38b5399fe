"""The id of a broker's cluster, as its tools take it."""

import uuid

import pytest

from app.dev import kafka


def test_no_cluster_id_looks_like_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    made = iter([uuid.UUID(bytes=b"\xf8" + bytes(15)), uuid.UUID(bytes=bytes(16))])
    monkeypatch.setattr("uuid.uuid4", lambda: next(made))
    assert kafka.cluster_id() == "A" * 22
