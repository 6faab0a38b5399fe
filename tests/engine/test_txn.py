"""A transaction reads what it changed, before anything is stored."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from app.engine.memory import MemoryStore
from app.engine.txn import Txn

keys = st.sampled_from([b"a/1", b"a/2", b"b/1", b"b/2", b"c"])
values = st.one_of(st.none(), st.integers(0, 9).map(lambda n: b"%d" % n))
puts = st.lists(st.tuples(keys, values), max_size=12)


def index(key: bytes, value: bytes) -> Iterable[bytes]:
    """An even number is indexed twice, an odd one once, nought not at all."""
    if int(value):
        yield b"n%s|" % value + key
        if int(value) % 2 == 0:
            yield b"even|" + key


@given(stored=puts, changed=puts, looks=st.sets(st.integers(0, 12)), limit=st.one_of(st.none(), st.integers(0, 5)))
def test_reads_in_a_transaction_equal_reads_after_it(
    stored: list[tuple[bytes, bytes | None]],
    changed: list[tuple[bytes, bytes | None]],
    looks: set[int],
    limit: int | None,
) -> None:
    store, after = MemoryStore(index), MemoryStore(index)
    store.write(dict(stored), 0)
    txn = Txn(store)
    for number, (key, value) in enumerate(changed):
        txn.put(key, value)
        if number in looks:
            txn.due(b"", b"\xff")
    after.write(dict(stored), 0)
    after.write(txn.changes, 1)
    for key in (b"a/1", b"c", b"missing"):
        assert txn.get(key) == after.get(key)
    for prefix in (b"", b"a/", b"b"):
        assert txn.scan(prefix) == after.scan(prefix)
    for lo, hi in ((b"", b"\xff"), (b"even|", b"even}"), (b"n2", b"n6")):
        assert txn.due(lo, hi, limit) == after.due(lo, hi, limit)
