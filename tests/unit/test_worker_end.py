"""A worker that fails once it is in its group: the process ends, whatever threads are left."""

import asyncio
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from app.streams import worker
from app.streams.client import KafkaAwayError
from tests.switched import both


class EndedError(Exception):
    """Stands for the process's end."""


WIRING: Any = type("Wiring", (), {"close": None, "app": "triggers"})
SETTINGS: Any = None


class Failing:
    """An app and its lanes, of which one step fails."""

    def __init__(self, step: str) -> None:
        self._step = step

    async def start(self) -> None:
        self._fail("start")
        os.kill(os.getpid(), signal.SIGTERM)

    async def end(self) -> None:
        self._fail("end")

    async def stop(self) -> None:
        self._fail("stop")

    def _fail(self, step: str) -> None:
        if step == self._step:
            raise ValueError(step)


@pytest.fixture
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_handlers")
@pytest.mark.parametrize("step", ["start", "end", "stop"])
async def test_what_fails_while_a_worker_starts_or_stops_ends_the_process(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[BaseException] = []

    async def assembled(*_: Any) -> Failing:
        return Failing(step)

    def end(error: BaseException) -> None:
        said.append(error)
        raise EndedError

    monkeypatch.setattr(worker, "_assemble", assembled)
    monkeypatch.setattr(worker, "LaneApp", lambda *_: Failing(step))
    monkeypatch.setattr(worker, "end", end)
    async with asyncio.timeout(10):
        with pytest.raises(EndedError):
            await worker._run(WIRING, SETTINGS)
    assert [str(error) for error in said] == [step]


class Staying(Failing):
    """An app that does not come to leave its group."""

    async def stop(self) -> None:
        await asyncio.Event().wait()


def ends_of(app: Failing, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have workers consist of this app, and return the statuses with which their processes will have ended."""
    ended: list[int] = []

    async def assembled(*_: Any) -> Failing:
        return Failing("none")

    def exit_(status: int) -> None:
        ended.append(status)
        raise EndedError

    monkeypatch.setattr(worker, "_assemble", assembled)
    monkeypatch.setattr(worker, "LaneApp", lambda *_: app)
    monkeypatch.setattr(worker, "_exit", exit_)
    return ended


@both
@pytest.mark.usefixtures("_handlers")
async def test_where_the_group_cannot_be_left_the_process_ends_all_the_same(
    monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    ended = ends_of(Staying("none"), monkeypatch)
    monkeypatch.setattr(worker, "LEAVE_SECONDS", 0.01 if on else None)
    if not on:
        monkeypatch.setattr(worker, "STOP_SECONDS", 0.01)
    async with asyncio.timeout(10):
        with pytest.raises(EndedError):
            await worker._run(WIRING, SETTINGS)
    assert ended == [worker.STOPPED if on else worker.FAILED], "off, it is said to have failed, and nothing has"


@pytest.mark.usefixtures("_handlers")
async def test_a_worker_that_has_stopped_ends_its_process_whatever_threads_are_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = ends_of(Failing("none"), monkeypatch)
    async with asyncio.timeout(10):
        with pytest.raises(EndedError):
            await worker._run(WIRING, SETTINGS)
    assert ended == [worker.STOPPED], "else asyncio waits for its threads, of which one may ask a name server"


@both
@pytest.mark.parametrize("step", ["assembling", "starting"])
@pytest.mark.usefixtures("_handlers")
async def test_a_worker_that_waits_for_its_broker_ends_at_once_when_it_is_told(
    step: str, monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    async def never(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    class Waiting(Failing):
        async def start(self) -> None:
            await never()

    ended = ends_of(Waiting("none"), monkeypatch)
    if step == "assembling":
        monkeypatch.setattr(worker, "_assemble", never)
    if not on:
        monkeypatch.setattr(asyncio, "FIRST_COMPLETED", asyncio.ALL_COMPLETED)
    with pytest.raises(EndedError if on else TimeoutError):
        async with asyncio.timeout(10 if on else 0.5):
            await worker._run(WIRING, SETTINGS)
    assert ended == ([worker.STOPPED] if on else []), "off, it waits for its broker to the end"


def caused(error: Exception) -> Exception:
    error.__cause__ = KafkaConnectionError()
    return error


def test_what_says_already_how_long_it_waited_for_its_broker_is_told_as_it_stands(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker, "_exit", lambda _: None)
    end: Any = worker.end
    end(caused(KafkaAwayError("no Kafka at a:1 for 60 s")))
    assert [record.getMessage() for record in caplog.records] == ["ends: no Kafka at a:1 for 60 s"]


@pytest.mark.parametrize(
    ("error", "traced"),
    [
        (KafkaConnectionError("Unable to bootstrap"), False),
        (ValueError("a mistake"), True),
        (caused(ValueError("a mistake over it")), True),
    ],
)
def test_a_broker_that_went_away_is_told_in_a_line_and_a_mistake_with_its_place(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, *, traced: bool
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(worker, "_exit", ended.append)
    end: Any = worker.end
    end(error)
    (record,) = caplog.records
    assert ended == [worker.FAILED]
    assert (record.exc_info is not None) is traced
    assert str(error) in record.getMessage()
