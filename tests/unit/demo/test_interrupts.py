import asyncio
import os
import signal

import pytest

from app.dev.demo.interrupts import SIGNALS, Interrupts


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_interrupts_and_later_ones_do_not(number: signal.Signals) -> None:
    with Interrupts():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)


def test_in_a_loop_the_work_is_cancelled_and_cleans_up() -> None:
    cleaned = []

    async def work() -> None:
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGINT)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        interrupts.run(work())
    assert cleaned == [True]


def test_afterwards_signals_are_what_they_were() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Interrupts() as interrupts:
        assert interrupts.run(asyncio.sleep(0, 7)) == 7
    assert [signal.getsignal(number) for number in SIGNALS] == before
