"""One suite for every store: in memory and on disk they must be the same thing."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.engine.memory import MemoryStore
from app.engine.ports import Store
from app.streams.store import RocksStore, StoreUnusableError

keys = st.sampled_from([b"a/1", b"a/2", b"b/1", b"b/2", b"c", b"~commit"])
values = st.one_of(st.none(), st.integers(0, 9).map(lambda n: b"%d" % n))
writes = st.lists(st.dictionaries(keys, values, max_size=4), max_size=6)


def index(key: bytes, value: bytes) -> Iterable[bytes]:
    if int(value):
        yield b"n%s|" % value + key


@pytest.fixture(params=["memory", "rocks"])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterable[Callable[[], Store]]:
    opened: list[RocksStore] = []

    def make() -> Store:
        if request.param == "memory":
            return MemoryStore(index)
        opened.append(RocksStore(tmp_path / str(len(opened)), index, lambda: 0))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


def test_rows_are_read_back_by_key_by_prefix_and_by_index(new_store: Callable[[], Store]) -> None:
    store = new_store()
    store.write({b"a/1": b"1", b"a/2": b"2", b"b": b"1", b"~commit": b"c"}, 5)
    store.write({b"a/1": b"3", b"b": None}, 7)
    assert store.get(b"a/1") == b"3"
    assert store.get(b"b") is None
    assert store.get(b"~commit") == b"c"
    assert store.scan(b"a/") == [(b"a/1", b"3"), (b"a/2", b"2")]
    assert store.scan(b"") == [(b"a/1", b"3"), (b"a/2", b"2")]
    assert store.due(b"n", b"o") == [(b"n2|a/2", b"a/2"), (b"n3|a/1", b"a/1")]
    assert store.due(b"n", b"n3") == [(b"n2|a/2", b"a/2")]
    assert store.due(b"n", b"o", 1) == [(b"n2|a/2", b"a/2")]
    assert store.offset == 7


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(changes=writes)
def test_the_index_is_always_that_of_the_rows(
    new_store: Callable[[], Store], changes: list[dict[bytes, bytes | None]]
) -> None:
    store = new_store()
    rows: dict[bytes, bytes] = {}
    for offset, change in enumerate(changes):
        before = {key: rows.get(key) for key in change} if offset % 2 else None
        store.write(change, offset, before)
        for key, value in change.items():
            if value is not None:
                rows[key] = value
            else:
                rows.pop(key, None)
    rows.pop(b"~commit", None)
    assert store.scan(b"") == sorted(rows.items())
    derived = sorted((entry, key) for key, value in rows.items() for entry in index(key, value))
    assert store.due(b"", b"\xff") == derived


def queued(key: bytes, value: bytes) -> Iterable[bytes]:
    """In a queue of all, and in one of its own zone."""
    yield b"wake|%s|" % value + key
    yield b"ready|z%d|%s|" % (int(value) % 2, value) + key


bounds = st.sampled_from([b"wake|", b"wake|3", b"wake|9", b"wake}", b"ready|", b"ready|z0|", b"ready|z1|4", b"s", b"x"])


@settings(deadline=None, max_examples=60)
@example(steps=[({}, b"ready|z1|", b"x"), ({b"c": b"2"}, b"ready|z1|", b"x")])
@given(steps=st.lists(st.tuples(st.dictionaries(keys, values, max_size=3), bounds, bounds), max_size=12))
def test_a_queue_whose_front_is_known_hides_no_entry(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[dict[bytes, bytes | None], bytes, bytes]]
) -> None:
    rocks, memory = RocksStore(tmp_path_factory.mktemp("rows"), queued, lambda: 0), MemoryStore(queued)
    for offset, (changes, lo, hi) in enumerate(steps):
        for store in (rocks, memory):
            store.write(changes, offset)
        for limit in (0, 1, None):
            assert rocks.due(lo, hi, limit) == memory.due(lo, hi, limit)
    rocks.close()


def test_a_database_opened_again_knows_how_far_it_is(tmp_path: Path) -> None:
    store = RocksStore(tmp_path, index, lambda: 42)
    store.write({b"a": b"1"}, 9)
    store.close()
    again = RocksStore(tmp_path, index, lambda: 43)
    assert (again.offset, again.stamp) == (9, 42)
    again.wipe()
    assert (again.offset, again.scan(b"")) == (-1, [])
    again.close()


def test_a_database_that_cannot_be_read_is_no_record_s_fault(tmp_path: Path) -> None:
    store = RocksStore(tmp_path / "rows", index, lambda: 0)
    store.close()
    reads: list[Callable[[], object]] = [
        lambda: store.get(b"a"),
        lambda: store.scan(b"a"),
        lambda: store.due(b"a", b"b"),
    ]
    for read in reads:
        with pytest.raises(StoreUnusableError, match="already closed; if the disk is well"):
            read()
