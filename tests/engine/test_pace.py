"""What an outage has made ticks miss leaves at the pace that an operator sets; nothing else waits for it."""

import asyncio
import itertools
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from app.config.check import load_dir
from app.contract.instants import DAY, HOUR, MINUTE, SECOND, Instant
from app.dev.provider import history, span
from app.domain.rules import Hours, Rulebook
from app.engine.decider import Desk
from app.engine.lane import Lane
from app.engine.pace import CatchUp, Pace
from app.engine.records import COMMIT_KEY, Tick, decode_commit
from app.engine.writing import as_line
from app.settings import SettingsError, load
from app.simulate.run import Pause, Span, simulate
from app.triggers import REGISTRY
from tests.builders import a_company, a_payment, a_rule, account_event, at, invoice_event
from tests.compare import differences
from tests.engine.counting import Counting
from tests.engine.office import NAMES, Office
from tests.engine.world import TICKS, World, settle
from tests.lanes import decided_by_a_lane, logs_of
from tests.switched import both

CONFIG = Path(__file__).parents[2] / "deploy" / "config"
ACCOUNTS = 30
RATE = 4
PAST = "invoice_past_due_for_days"


def told(world: World) -> int:
    """How many accounts the ticks have told of; what a new owner sends again is known by its id."""
    return len({sent.id for sent in world.outputs.sent if sent.output.topic == Counting.ticks_out})


class Outage:
    """A worker that has had its first tick is off for ten days, and comes back with a bucket of a second's worth."""

    def __init__(self) -> None:
        self.world = World(Counting)
        for number in range(ACCOUNTS):
            self.world.fact("a", f"k{number:02}")
        self.world.tick()

    async def begin(self, catch_up: CatchUp | None = None, off: int = 10 * DAY) -> Lane:
        await self.world.play(self.world.lane())
        self.before = told(self.world)
        self.world.now += off
        self.world.tick()
        lane = self.world.lane(catch_up=catch_up or CatchUp(Counting.ticks_out, RATE))
        self.running = asyncio.create_task(lane.run())
        await self.pass_seconds(lane, 0)
        return lane

    async def pass_seconds(self, lane: Lane, seconds: float) -> int:
        """Let time pass, and what then can happen; return how many accounts the tick has told of by now."""
        self.world.now += int(seconds * SECOND)
        for topic in ("a", "b", TICKS):
            self.world.fetch(lane, topic, 100)
        lane.wake()
        await settle()
        return told(self.world) - self.before

    async def end(self, lane: Lane) -> None:
        await lane.stop()
        await self.running


async def test_a_backlog_of_ten_days_leaves_at_the_rate_that_is_set() -> None:
    outage = Outage()
    begun = outage.world.now
    lane = await outage.begin()
    assert lane.commit.cursor is not None
    assert lane.commit.cursor.completed == begun
    came = [await outage.pass_seconds(lane, seconds) for seconds in (0, 0.25, 0.25, 0.5, 1, 1, 1, 1, 1, 1)]
    assert came == [4, 5, 6, 8, 12, 16, 20, 24, 28, ACCOUNTS]
    assert lane.commit.cursor.completed == begun + 10 * DAY
    await outage.end(lane)


async def test_without_a_pace_it_leaves_all_at_once() -> None:
    outage = Outage()
    lane = await outage.begin(CatchUp(Counting.ticks_out))
    assert await outage.pass_seconds(lane, 0) == ACCOUNTS
    await outage.end(lane)


async def test_facts_are_not_held_up_meanwhile() -> None:
    outage = Outage()
    lane = await outage.begin()
    assert await outage.pass_seconds(lane, 0) == RATE
    for number in range(3):
        outage.world.fact("b", f"new{number}")
        assert await outage.pass_seconds(lane, 0) == RATE, "no time has passed: the tick waits"
        assert outage.world.counts()[f"new{number}"] == 1
    await outage.end(lane)


async def test_another_worker_goes_on_where_the_tick_stood() -> None:
    outage = Outage()
    lane = await outage.begin()
    await outage.end(lane)
    lane = outage.world.lane(catch_up=CatchUp(Counting.ticks_out, RATE))
    outage.running = asyncio.create_task(lane.run())
    assert await outage.pass_seconds(lane, 0) == 2 * RATE, "a bucket of its own"
    while lane.commit.cursor and lane.commit.cursor.after is not None:
        await outage.pass_seconds(lane, 1)
    assert told(outage.world) == 2 * ACCOUNTS, "each once more, and none twice"
    await outage.end(lane)


async def test_a_tick_that_comes_in_time_is_held_to_no_pace() -> None:
    outage = Outage()
    lane = await outage.begin(off=14 * MINUTE)
    assert await outage.pass_seconds(lane, 0) == ACCOUNTS
    await outage.end(lane)


async def test_a_first_start_has_nothing_to_catch_up_with() -> None:
    world = World(Counting)
    for number in range(ACCOUNTS):
        world.fact("a", f"k{number:02}")
    world.tick()
    await world.play(world.lane(catch_up=CatchUp(Counting.ticks_out, 0.001)))
    assert told(world) == ACCOUNTS


def test_an_account_that_is_sent_more_than_one_is_waited_for() -> None:
    now = 0.0
    pace = Pace("out", 2, lambda: now)
    assert pace.accounts(500) == 2
    pace.spend(7)
    assert pace.wait() == 3
    now = 2.9
    assert pace.accounts(500) == 0
    now = 3
    assert pace.accounts(500) == 1
    now = HOUR
    assert (pace.accounts(500), pace.accounts(1)) == (2, 1), "an hour of quiet is no licence for a burst"


def test_partitions_share_the_rate() -> None:
    catch_up = CatchUp("out", 20)
    catch_up.among(4)
    pace = catch_up.pace(lambda: 0.0)
    assert pace is not None
    assert pace.accounts(500) == 5
    assert CatchUp("out").pace(lambda: 0.0) is None


@both
def test_what_a_paced_tick_comes_to_when_sending_hours_are_over_waits_for_the_morning(
    monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    advance = Desk.advance

    def by_the_time_it_began(self: Desk, account: str, tick: Tick, earlier: Instant) -> None:
        self._view = replace(self._view, now=tick.now)
        advance(self, account, tick, earlier)

    if not on:
        monkeypatch.setattr(Desk, "advance", by_the_time_it_began)
    rule = a_rule(x=1, hours=Hours(window=(8 * 60, 20 * 60)))
    office = Office(Rulebook((rule,), {"acme": a_company()}))
    for number in range(4):
        office.tell(*(kind(office.now, account=f"a{number}") for kind in (account_event, invoice_event)))
    office.run_until(at("2026-06-11 05:00"))
    pace = office.pace = Pace(NAMES.outbox, 1 / 600, lambda: office.now / SECOND)
    office.come_to(at("2026-06-11 19:45"))
    decided: list[tuple[str, str | None]] = []
    while len(decided) < 4:
        office.run_and_kill(lambda _: not pace.accounts(1))
        decided += [(each["outcome"], each["reason"]) for each in office.decisions()]
        office.now += 10 * MINUTE
    waits = ("held", "window") if on else ("sent", None)
    assert decided == [("sent", None), ("sent", None), waits, waits], "off, it writes into the night"


def test_what_happens_amid_a_paced_catch_up_is_written_about_at_once() -> None:
    office = Office(Rulebook((a_rule(PAST, x=1), a_rule("payment_failed")), {"acme": a_company()}))
    for number in range(6):
        office.tell(*(kind(office.now, account=f"a{number}") for kind in (account_event, invoice_event)))
    office.run_until(at("2026-06-11 05:00"))
    pace = office.pace = Pace(NAMES.outbox, 1 / 600, lambda: office.now / SECOND)
    office.come_to(at("2026-06-11 19:45"))
    office.run_and_kill(lambda _: not pace.accounts(1))
    assert 0 < len(office.decisions()) < 6
    office.tell(a_payment(office.now, account="a5"))
    office.run_and_kill(lambda _: any(b"payment_failed" in sent.output.value for sent in office.outputs.sent))
    decided = [(each["account_id"], each["trigger"], each["outcome"]) for each in office.decisions()]
    assert decided == [("a5", PAST, "sent"), ("a5", "payment_failed", "sent")], (
        "its reminder comes before, as it should"
    )
    cursor = decode_commit(office.store.get(COMMIT_KEY) or b"").cursor
    assert cursor is not None
    assert cursor.after is not None, "the tick is still under way"


def test_paced_a_history_with_ten_days_off_is_decided_as_simulate_decides_it() -> None:
    written = load_dir(CONFIG, REGISTRY)
    rulebook = Rulebook(written.rules, written.companies)
    whole = span(28)
    pause = Pause(whole.begin + 9 * DAY + 7 * MINUTE, whole.begin + 19 * DAY + 3 * MINUTE)
    over = Span(whole.begin, whole.until, (pause,))
    lines = list(history(accounts=40, seed=17, days=28))
    ticking = itertools.count()
    waited: list[float] = []

    class Watched(Pace):
        def wait(self) -> float:
            waited.append(super().wait())
            return 0.0

    pace = Watched("whimbrel.outbox", 1, lambda: next(ticking) / 8)
    decided = decided_by_a_lane(logs_of(lines, over, rulebook.companies, 15 * MINUTE), rulebook, pace=pace)
    expected, _ = simulate(lines, rulebook, over)
    assert not differences((json.dumps(as_line(each)) for each in expected), map(json.dumps, decided))
    assert waited, "it was held to the pace"


@pytest.mark.parametrize("value", ["0", "-1", "inf", "nan"])
def test_the_rate_is_a_positive_number_or_none(value: str) -> None:
    assert load({"WHIMBREL_CATCH_UP_PER_SECOND": ""}).catch_up_per_second is None
    assert load({"WHIMBREL_CATCH_UP_PER_SECOND": "0.5"}).catch_up_per_second == 0.5
    with pytest.raises(SettingsError, match="WHIMBREL_CATCH_UP_PER_SECOND: must be more than 0, or empty"):
        load({"WHIMBREL_CATCH_UP_PER_SECOND": value})
