"""Who may ask for a journal's identity, on a real broker: a worker that has stood still must hear of its group first.

Repairs, each on and off as in test_repairs.py.
"""

import math
import time
from collections.abc import Callable
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import aiokafka.client
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.transaction import InitProducerIdRequest

from app.dev.kafka import DevKafka
from app.streams import journal as journals
from app.streams.consumer import MembershipLostError
from app.streams.journal import JournalWriter, TakenOverError
from app.streams.opening import Opening, Wiring
from app.streams.patience import Patience
from tests.kafka.test_journal import a_commit
from tests.switched import both, raising

pytestmark = pytest.mark.kafka

Word = Callable[[], float]


def for_ever() -> float:
    return math.inf


def lost() -> float:
    raise MembershipLostError


@both
async def test_who_has_stood_still_between_its_identities_does_not_shut_the_new_writer_out(
    kafka: DevKafka, journal: str, patient: Patience, *, on: bool
) -> None:
    words = (for_ever, lost) if on else ()
    await stands_still(kafka, journal, patient, *words, shuts_out=not on)


@both
async def test_who_has_stood_still_with_the_groups_word_asks_again(
    kafka: DevKafka, journal: str, patient: Patience, *, on: bool
) -> None:
    """Off, the word holds for ever."""
    words = (for_ever, time.monotonic, lost) if on else ()
    await stands_still(kafka, journal, patient, *words, shuts_out=not on)


async def stands_still(kafka: DevKafka, journal: str, patient: Patience, *words: Word, shuts_out: bool) -> None:
    """Have a writer stand still as it asks its group for the second time, and another take over meanwhile.

    The group says these words, then always that the partition is its own. Either it hears that it is not, or it shuts
    the new writer out.
    """
    answers, asked = chain(words, repeat(for_ever)), 0

    async def confirm() -> float:
        nonlocal asked
        asked += 1
        if asked == 2:
            await new.fence()
        return next(answers)()

    old = JournalWriter(kafka.bootstrap, journal, 0, f"{journal}-0", patient, confirm=confirm)
    new = JournalWriter(kafka.bootstrap, journal, 0, f"{journal}-0", patient)
    with raising(MembershipLostError, so=not shuts_out):
        await old.fence()
    with raising(TakenOverError, so=shuts_out):
        await new.append({b"a": b"1"}, a_commit())
    await old.close()
    await new.close()


async def test_the_journal_of_a_partition_that_the_group_has_given_away_is_not_fenced(
    kafka: DevKafka, journal: str, patient: Patience, tmp_path: Path
) -> None:
    unused: Any = None
    wiring = Wiring(app=journal, handler=lambda _: unused, inputs=["facts"], journal=journal)
    opening = Opening(
        wiring,
        kafka.bootstrap,
        tmp_path,
        consumer=unused,
        outputs=unused,
        ticker=None,
        patience=patient,
        may_decide=bool,
    )

    async def given_away() -> float:
        raise MembershipLostError

    with pytest.raises(MembershipLostError):
        await opening.open(0, given_away)
    first = await JournalWriter(kafka.bootstrap, journal, 0, f"{journal}-journal-0", patient)._identity()
    assert first.epoch == 0, "nobody has had one before"


@both
async def test_a_connection_that_is_made_first_does_not_make_the_groups_word_older(
    kafka: DevKafka, journal: str, patient: Patience, monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    """Of three brokers the coordinator is seldom the one that is connected already; off, it is connected afterwards."""
    if not on:
        monkeypatch.setattr(journals, "_connected", lambda *_: True)
    connect, say = aiokafka.client.create_conn, AIOKafkaConnection.send
    producers, order = list[AIOKafkaProducer](), list[str]()

    def producer(**options: Any) -> AIOKafkaProducer:
        producers.append(AIOKafkaProducer(**options))
        return producers[-1]

    async def connected(*arguments: Any, **options: Any) -> Any:
        order.append("connection")
        return await connect(*arguments, **options)

    def said(connection: Any, request: Any, **options: Any) -> Any:
        if isinstance(request, InitProducerIdRequest):
            order.append("question")
        return say(connection, request, **options)

    async def confirm() -> float:
        if "word" not in order:
            for connection in producers[-1].client._conns.values():
                connection.close()
        order.append("word")
        return math.inf

    monkeypatch.setattr(journals, "AIOKafkaProducer", producer)
    monkeypatch.setattr(aiokafka.client, "create_conn", connected)
    monkeypatch.setattr(AIOKafkaConnection, "send", said)
    await JournalWriter(kafka.bootstrap, journal, 0, f"{journal}-0", patient, confirm=confirm)._identity()
    assert order[order.index("question") - 1] == ("word" if on else "connection")
