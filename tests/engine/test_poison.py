"""A record or an account over which a trigger raises is set aside, and nothing else is."""

from collections.abc import Iterator, Sequence

import pytest

from app.contract.instants import DAY, HOUR, SECOND, Instant
from app.domain.book import UnknownFormatError
from app.domain.rules import Rulebook
from app.engine.batch import Batch, Bounds
from app.engine.dead_letters import DeadLetter, TooManyDeadLettersError
from app.engine.guard import Allowance
from app.engine.handler import View
from app.engine.lane import Lane
from app.engine.parked import PREFIX
from app.engine.ports import BatchTooLargeError, StateUnusableError
from app.engine.records import Cursor, Record, Tick
from app.engine.txn import Txn
from app.settings import SettingsError, load
from tests.builders import a_company, a_payment, a_rule, account_event, at, invoice_event, paid
from tests.engine.counting import Counting
from tests.engine.office import NAMES, Office
from tests.engine.world import Crash, World
from tests.poison import SECRET, MistakeError, raising
from tests.switched import both

PAST, FAILED = "invoice_past_due_for_days", "payment_failed"
BAD = "a3"
ACCOUNTS = [f"a{number}" for number in range(6)]
NINE = at("2026-06-11 09:00")


def an_office(**options: object) -> Office:
    rules = a_rule(PAST, x=1), a_rule(FAILED)
    office = Office(Rulebook(rules, {"acme": a_company()}), **options)  # type: ignore[arg-type]
    for account in ACCOUNTS:
        office.tell(account_event(office.now, account=account), invoice_event(office.now, account=account))
    return office


@pytest.fixture
def mistake(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """What is set by it is mended by `undo`."""
    yield monkeypatch
    monkeypatch.undo()


def sent_to(office: Office) -> list[str]:
    return sorted(decision["account_id"] for decision in office.decisions() if decision["outcome"] == "sent")


def failures(office: Office) -> None:
    for account in ACCOUNTS:
        office.tell(a_payment(office.now, account=account, payment_id=f"p-{account}"))


def brief(letter: DeadLetter) -> tuple[str, int, str | None, str]:
    return letter.topic, letter.offset, letter.account, letter.state


@pytest.mark.parametrize("part", ["occurs", "message"])
def test_a_fact_that_makes_a_trigger_raise_is_dead_lettered_and_its_neighbours_are_decided(
    mistake: pytest.MonkeyPatch, part: str
) -> None:
    office = an_office()
    office.run()
    mistake.setitem(*raising(FAILED, part, BAD))
    failures(office)
    office.run()
    assert sent_to(office) == [account for account in ACCOUNTS if account != BAD]
    (letter,) = office.dead_letters()
    assert brief(letter) == (NAMES.billing, 2 * len(ACCOUNTS) + 3, None, "open")
    assert letter.reason.startswith("handler: MistakeError at app.")
    assert SECRET not in letter.reason


def test_without_being_set_aside_it_would_end_every_worker(mistake: pytest.MonkeyPatch) -> None:
    def let_through(error: Exception, _where: str, *, alone: bool) -> None:
        del alone
        raise error

    mistake.setattr("app.engine.lane.set_aside", let_through)
    mistake.setitem(*raising(FAILED, "message", BAD))
    office = an_office()
    failures(office)
    for _ in range(2):
        with pytest.raises(MistakeError):
            office.run()
    assert sent_to(office) == []


def test_the_account_stays_as_it_was_and_the_same_event_is_decided_once_mended(mistake: pytest.MonkeyPatch) -> None:
    office = an_office()
    office.run()
    before = [row for row in office.rows() if row[0].startswith(b"account/a3/")]
    mistake.setitem(*raising(FAILED, "message", BAD))
    event = a_payment(office.now, account=BAD)
    office.tell(event)
    office.run()
    assert [row for row in office.rows() if row[0].startswith(b"account/a3/")] == before
    mistake.undo()
    office.replay(event, event)
    office.run()
    assert sent_to(office) == [BAD]


def test_the_log_says_loudly_where_and_not_what(mistake: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    mistake.setitem(*raising(FAILED, "message", BAD))
    office = an_office()
    failures(office)
    office.run()
    (said,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "billing.events[0]@15: handler: MistakeError at app.engine.judge" in said.getMessage()
    assert SECRET not in caplog.text


@pytest.mark.parametrize("guard", [None, Allowance(max_per_hour=100)])
@pytest.mark.parametrize("part", ["coming", "message"])
@pytest.mark.parametrize("size", [2, 500])
def test_one_account_over_which_a_tick_raises_stops_no_other_and_is_late_once_mended(
    mistake: pytest.MonkeyPatch, part: str, size: int, guard: Allowance | None
) -> None:
    office = an_office(bounds=Bounds(slice=size), guard=guard)
    office.run_until(NINE - HOUR)
    mistake.setitem(*raising(PAST, part, BAD))
    office.run_until(NINE + SECOND)
    assert sent_to(office) == [account for account in ACCOUNTS if account != BAD]
    (letter,) = office.dead_letters()
    assert brief(letter) == (NAMES.ticks, -1, BAD, "open")
    assert letter.reason.startswith("handler: MistakeError at app.")
    mistake.undo()
    office.run_until(NINE + 10 * SECOND)
    assert sent_to(office) == [], "it is tried again in an hour, or by another worker"
    office.run_and_kill(lambda _: False)
    office.run_until(NINE + DAY)
    assert [(d["account_id"], d["moment"], d["outcome"]) for d in office.decisions()] == [
        (BAD, "2026-06-11T13:00:00Z", "sent")
    ]
    assert [brief(letter)[3] for letter in office.dead_letters()] == ["open", "resumed"]
    assert not office.store.scan(PREFIX)


def test_what_is_not_mended_raises_once_an_hour_and_is_told_of_once(
    mistake: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    office = an_office()
    office.run_until(NINE - HOUR)
    mistake.setitem(*raising(PAST, "coming", BAD))
    for minutes in range(0, 180, 5):
        office.run_until(NINE + SECOND + minutes * 60 * SECOND)
    assert len(office.dead_letters()) == 1
    assert caplog.text.count("MistakeError") == 3
    assert caplog.text.count("account a3 is parked") == 1


def test_another_configuration_has_a_parked_account_tried_at_once(mistake: pytest.MonkeyPatch) -> None:
    office = an_office()
    office.run_until(NINE - HOUR)
    mistake.setitem(*raising(PAST, "coming", BAD))
    office.run_until(NINE + SECOND)
    mistake.undo()
    sent_to(office)
    office.rulebook = Rulebook((a_rule(PAST, x=1),), office.rulebook.companies, office.rulebook.offset + 1)
    office.run_until(NINE + 11 * SECOND)
    assert sent_to(office) == [BAD]


def test_a_payment_that_comes_while_an_account_is_parked_counts_once_it_goes_on(mistake: pytest.MonkeyPatch) -> None:
    office = an_office()
    office.run_until(NINE - HOUR)
    mistake.setitem(*raising(PAST, "message", BAD))
    office.run_until(NINE + SECOND)
    office.now = NINE + HOUR
    office.tell(paid(office.now, account=BAD))
    office.run()
    mistake.undo()
    office.decisions()
    office.run_until(NINE + 2 * HOUR)
    assert [(d["account_id"], d["reason"]) for d in office.decisions()] == [(BAD, "no_longer_true")]


def test_dead_lettered_instead_it_would_have_its_payer_chased(mistake: pytest.MonkeyPatch) -> None:
    def refused(self: Lane, batch: Batch, record: Record, reason: str) -> None:
        self._handler.refuse(record, reason, batch.txn, self._view(batch))

    mistake.setattr(Lane, "_set_aside", refused)
    office = an_office()
    office.run_until(NINE - 10 * SECOND)
    module, name, mistaken = raising(PAST, "coming", BAD)
    with mistake.context() as raises:
        raises.setitem(module, name, mistaken)
        office.now = NINE + 2 * SECOND
        office.tell(paid(office.now, account=BAD))
        office.run()
    assert [letter.topic for letter in office.dead_letters()] == [NAMES.billing]
    office.run_until(NINE + 2 * HOUR)
    assert BAD in sent_to(office)


@pytest.mark.parametrize("parked", [True, False], ids=["parked", "not parked yet"])
@pytest.mark.parametrize("part", ["coming", "message"])
def test_a_payment_is_taken_in_though_the_account_s_clock_raises_and_its_invoice_is_not_chased(
    mistake: pytest.MonkeyPatch, part: str, *, parked: bool
) -> None:
    office = an_office()
    office.run_until(NINE - 10 * SECOND)
    mistake.setitem(*raising(PAST, part, BAD))
    if parked:
        office.run_until(NINE + SECOND)
    office.now = NINE + 2 * SECOND
    office.tell(paid(office.now, account=BAD), a_payment(office.now, account=BAD))
    office.run()
    office.run_until(NINE + 3 * SECOND)
    assert sent_to(office) == sorted([*ACCOUNTS]), "the others' reminders, and what the payment itself calls up"
    assert [brief(letter) for letter in office.dead_letters()] == [(NAMES.ticks, -1, BAD, "open")]
    mistake.undo()
    office.run_until(NINE + 2 * HOUR)
    assert sent_to(office) == []
    assert [brief(letter)[3] for letter in office.dead_letters()] == ["open", "resumed"]


@pytest.mark.parametrize("size", [1, 500])
def test_an_account_whose_tick_is_too_large_stops_no_other_and_goes_on_once_it_is_smaller(size: int) -> None:
    office = an_office(bounds=Bounds(slice=size))
    vast = account_event(office.now, account=BAD)
    vast["data"]["contacts"][0]["name"] = "x" * 950_000
    office.tell(vast)
    office.run_until(NINE + SECOND)
    assert sent_to(office) == [account for account in ACCOUNTS if account != BAD]
    (letter,) = office.dead_letters()
    assert brief(letter) == (NAMES.ticks, -1, BAD, "open")
    assert letter.reason.startswith("too_large: ")
    office.now += HOUR
    office.tell(account_event(office.now, account=BAD))
    office.run_until(office.now + HOUR)
    assert sent_to(office) == [BAD]
    assert [brief(letter)[3] for letter in office.dead_letters()] == ["open", "resumed"]


@both
def test_an_account_whose_tick_no_journal_batch_takes_stops_no_other(mistake: pytest.MonkeyPatch, *, on: bool) -> None:
    office = Office(Rulebook((a_rule(PAST, x=1),), {"acme": a_company()}), capacity=20_000)
    for account in ACCOUNTS:
        office.tell(account_event(office.now, account=account), invoice_event(office.now, account=account))
    for number in range(30):
        office.tell(invoice_event(office.now, account=BAD, invoice_id=f"i{number}", number=f"I{number}"))
    if not on:

        async def let_through(_self: Lane, _batch: Batch, _tick: Tick) -> None:
            raise  # noqa: PLE0704 - it is called where BatchTooLargeError is handled

        mistake.setattr(Lane, "_pass_over", let_through)
        office.come_to(NINE + SECOND)
        for _ in range(2):
            with pytest.raises(BatchTooLargeError):
                office.run()
        assert ACCOUNTS[-1] not in sent_to(office), "off, whoever comes behind it waits for ever"
        return
    office.run_until(NINE + SECOND)
    assert sent_to(office) == [account for account in ACCOUNTS if account != BAD]
    assert [letter.reason.partition(":")[0] for letter in office.dead_letters()] == ["too_large"]


def test_too_many_dead_letters_within_an_hour_end_the_worker_and_a_restart_counts_on(
    mistake: pytest.MonkeyPatch,
) -> None:
    office = an_office(dead_letters_per_hour=4)
    office.run()
    for account in ACCOUNTS:
        mistake.setitem(*raising(FAILED, "message", account))
    failures(office)
    said = "partition 0: 4 dead letters within an hour, and billing.events@16 would be one more"
    for _ in range(2):
        with pytest.raises(TooManyDeadLettersError, match=said):
            office.run()
        assert [letter.offset for letter in office.dead_letters()] == [12, 13, 14, 15], "as many as may be are parked"
    office.now += 2 * HOUR
    office.run()
    assert len(office.dead_letters()) == len(ACCOUNTS)


def test_records_that_break_the_contract_count_as_well(mistake: pytest.MonkeyPatch) -> None:
    office = an_office(dead_letters_per_hour=2)
    for _ in range(3):
        office.tell(a_payment(office.now, account="a1", amount="a lot"))
    with pytest.raises(TooManyDeadLettersError):
        office.run()
    assert len(office.dead_letters()) == 2


class Mistaken(Counting):
    """Raises over a value, and amid a tick."""

    raises: Exception = ValueError("x")
    ticks_raise = False

    def records(self, batch: Sequence[Record], txn: Txn, view: View) -> None:
        for record in batch:
            super().records([record], txn, view)
            if record.value == b"bad":
                raise self.raises

    def tick(self, tick: Tick, cursor: Cursor | None, txn: Txn, view: View, limit: int) -> Cursor:
        if self.ticks_raise:
            raise self.raises
        return super().tick(tick, cursor, txn, view, limit)


@pytest.mark.parametrize("bad", [{0}, {39}, {17, 18, 31}, set(range(40))])
async def test_whatever_the_place_in_the_batch_only_what_raises_is_set_aside(bad: set[int]) -> None:
    world = World(Mistaken)
    for number in range(40):
        world.fact("a", f"k{number % 4}", b"bad" if number in bad else b"")
    await world.play(world.lane(bounds=Bounds(records=32)), size=40)
    dead = world.sent("dead")
    assert dead == [f"a@{number}" for number in sorted(bad)]
    assert sum(world.counts().values()) == 40 - len(bad)


@pytest.mark.parametrize(
    "error", [StateUnusableError("s"), UnknownFormatError("f"), OSError("disk"), MemoryError(), Crash()]
)
async def test_what_is_not_the_record_s_fault_ends_the_lane(error: BaseException) -> None:
    world = World(lambda: mistaken(error))
    world.fact("a", "k", b"bad")
    with pytest.raises(type(error)):
        await world.play(world.lane())
    assert world.counts() == {}


async def test_an_office_without_a_culprit_ends_when_its_tick_raises(mistake: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> list[str]:
        raise KeyError("no account's fault")

    mistake.setattr("app.engine.decider.expired", broken)
    office = an_office()
    office.come_to(NINE - DAY)
    with pytest.raises(StateUnusableError, match="over no account: handler: KeyError"):
        await office._run(None)


def mistaken(error: BaseException) -> Mistaken:
    handler = Mistaken()
    handler.raises = error  # type: ignore[assignment]
    return handler


def test_the_hour_slides(mistake: pytest.MonkeyPatch) -> None:
    office = an_office(dead_letters_per_hour=2)
    begun: Instant = office.now
    for hour in (0, 1.5, 3):
        office.now = begun + int(hour * HOUR)
        for _ in range(2):
            office.tell(a_payment(office.now, account="a1", amount="a lot"))
        office.run()
    assert len(office.dead_letters()) == 6


def test_the_limit_is_a_number() -> None:
    assert load({"WHIMBREL_DEAD_LETTERS_PER_HOUR": "7"}).dead_letters_per_hour == 7
    with pytest.raises(SettingsError, match="WHIMBREL_DEAD_LETTERS_PER_HOUR: must be 1 or more"):
        load({"WHIMBREL_DEAD_LETTERS_PER_HOUR": "0"})
