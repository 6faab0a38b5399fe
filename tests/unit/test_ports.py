"""Ports for servers of this machine: nobody is given one that was given before and is not used yet."""

import socket
from collections.abc import Iterator

import pytest

from app.dev import kafka
from app.dev.kafka import HOST, KafkaError, free_port, is_free


@pytest.fixture(autouse=True)
def _held(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    held: list[socket.socket] = []
    monkeypatch.setattr(kafka, "_held", held)
    yield
    for each in held:
        each.close()


def test_a_port_that_was_given_is_not_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = free_port()
    monkeypatch.setattr(kafka, "FREE_PORTS", range(first, first + 100))
    given = {first}

    def take_all() -> None:
        for _ in range(100):
            port = free_port()
            assert port not in given
            given.add(port)

    with pytest.raises(KafkaError, match=f"no free port between {first} and {first + 100}"):
        take_all()


def test_a_server_may_listen_at_the_port_it_was_given_end_and_listen_again() -> None:
    port = free_port()
    for _ in range(2):
        with socket.create_server((HOST, port)), socket.create_connection((HOST, port)):
            assert not is_free(port)
    assert is_free(port)
