"""The rows of one partition in RocksDB, with an index derived from them in the same write.

RocksDB's own log is off: the journal is the log. A process killed leaves the rows as of the last flush, with the offset
that belongs to them, and the rest is read back from there.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec
from rocksdict import (
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    WriteBatch,
    WriteBufferManager,
    WriteOptions,
)

from app.contract.instants import Instant
from app.errors import WhimbrelError
from app.streams.fronts import Fronts

INDEX: Final = b"\x00"
"""Before every index key. It sorts before every row's key, and no row's key begins with it."""
ENGINE: Final = b"~"
AFTER_ENGINE: Final = b"\x7f"
OFFSET_KEY: Final = b"~offset"

CACHE_BYTES: Final = 64 << 20
WRITE_BUFFERS_BYTES: Final = 64 << 20
"""Both for all partitions of a process together."""
WRITE_BUFFER_BYTES: Final = 16 << 20
BLOOM_BITS: Final = 10

_encode = msgspec.msgpack.Encoder().encode
_decode_progress = msgspec.msgpack.Decoder(tuple[int, Instant]).decode


class StoreUnusableError(WhimbrelError):
    """The disk gives or takes nothing: no record is to blame, and no record must be answered for."""

    def __init__(self, path: Path, error: Exception) -> None:
        """Name the database, and say what it said."""
        super().__init__(f"{path}: {error}; if the disk is well, delete the directory: the journal has everything")


class RocksStore:
    """A database of rows, index entries and the journal offset. Keep no reference to it across awaits."""

    def __init__(
        self, path: Path, index: Callable[[bytes, bytes], Iterable[bytes]], clock: Callable[[], Instant]
    ) -> None:
        """Open or create the database in directory `path`; `index` gives a row's index keys."""
        with _translated(path):
            path.mkdir(parents=True, exist_ok=True)
        self.index = index
        self.path = path
        self._clock = clock
        self._db = _opened(path)
        self._fronts = Fronts()
        progress = self._db.get(OFFSET_KEY)
        self.offset, self.stamp = _decode_progress(progress) if progress else (-1, 0)
        """The newest journal record that the rows contain, and when it was written there."""

    def get(self, key: bytes) -> bytes | None:
        """Return a row's value."""
        try:
            value: bytes | None = self._db.get(key)
        except Exception as error:
            raise StoreUnusableError(self.path, error) from error
        return value

    def scan(self, prefix: bytes) -> list[tuple[bytes, bytes]]:
        """Return the rows whose key begins with `prefix`, sorted."""
        rows = []
        for key, value in self._items(prefix or INDEX + b"\xff"):
            if not key.startswith(prefix):
                break
            if not key.startswith((ENGINE, INDEX)):
                rows.append((key, value))
        return rows

    def due(self, lo: bytes, hi: bytes, limit: int | None = None) -> list[tuple[bytes, bytes]]:
        """Return (index key, row key) with lo <= index key < hi, sorted, at most `limit`."""
        entries: list[tuple[bytes, bytes]] = []
        begin, end = self._fronts.begin(lo), INDEX + hi
        if begin >= hi or limit == 0:
            return entries
        for key, row in islice(self._items(INDEX + begin), limit):
            if key >= end:
                break
            entries.append((key[1:], row))
        self._fronts.found(lo, entries[0][0] if entries else hi)
        return entries

    def _items(self, begin: bytes) -> Iterator[tuple[bytes, bytes]]:
        with _translated(self.path):
            yield from self._db.items(from_key=begin)

    def write(
        self,
        changes: Mapping[bytes, bytes | None],
        offset: int,
        before: Mapping[bytes, bytes | None] | None = None,
        stamp: Instant | None = None,
    ) -> None:
        """Write rows, their index and the journal offset, all or nothing; None deletes a row.

        `before`, where given, has the committed values of rows that are known already. `stamp` is when the journal got
        the record at `offset`; None: now.
        """
        batch = WriteBatch(raw_mode=True)
        known = before or {}
        for key, value in changes.items():
            if not key.startswith(ENGINE):
                self._index(batch, key, known[key] if key in known else self._db.get(key), value)
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        progress = (offset, self._clock() if stamp is None else stamp)
        batch.put(OFFSET_KEY, _encode(progress))
        with _translated(self.path):
            self._db.write(batch)
        self.offset, self.stamp = progress

    def _index(self, batch: WriteBatch, key: bytes, old: bytes | None, new: bytes | None) -> None:
        gone = self.index(key, old) if old is not None else ()
        come = self.index(key, new) if new is not None else ()
        if not gone and not come:
            return
        gone, come = set(gone), set(come)
        for index_key in gone - come:
            batch.delete(INDEX + index_key)
        for index_key in come - gone:
            self._fronts.come(index_key)
            batch.put(INDEX + index_key, key)

    def wipe(self) -> None:
        """Forget everything: the rows come anew from the journal."""
        self._db.close()
        shutil.rmtree(self.path)
        self.path.mkdir()
        self._db = _opened(self.path)
        self._fronts = Fronts()
        self.offset, self.stamp = -1, 0

    def close(self) -> None:
        """Put everything on disk, and release the database's lock."""
        with _translated(self.path):
            self._db.flush()
            self._db.close()


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # rocksdict raises nothing more telling
        raise StoreUnusableError(path, error) from error


def _opened(path: Path) -> Rdict:
    with _translated(path):
        database = Rdict(str(path), _options())
    writing = WriteOptions()
    writing.disable_wal = True
    database.set_write_options(writing)
    return database


@cache
def _shared() -> tuple[Cache, WriteBufferManager]:
    return Cache(CACHE_BYTES), WriteBufferManager(WRITE_BUFFERS_BYTES, allow_stall=False)


def _options() -> Options:
    block_cache, write_buffers = _shared()
    blocks = BlockBasedOptions()
    blocks.set_block_cache(block_cache)
    blocks.set_bloom_filter(BLOOM_BITS, block_based=False)
    options = Options(raw_mode=True)
    options.create_if_missing(True)  # noqa: FBT003 - rocksdict takes it by position only
    options.set_block_based_table_factory(blocks)
    options.set_write_buffer_manager(write_buffers)
    options.set_write_buffer_size(WRITE_BUFFER_BYTES)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_keep_log_file_num(1)
    return options
