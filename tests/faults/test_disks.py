"""State directories that are deleted, old, or full: each is a copy of the journal, and worth no more."""

import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from app.dev.kafka import DevKafka
from app.engine.records import COMMIT_KEY
from app.streams.names import Names
from tests.faults import evidence
from tests.faults.load import provider
from tests.faults.reasons import DISK
from tests.faults.run import PARTITIONS, Run, seed
from tests.kafka.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.long]

SECONDS = 15.0
LONGER = 30.0
COMMITS = 3
"""In each partition, before a strike."""
FILESYSTEM = "64m"
APPS = {"triggers": "t1", "sender": "s1"}


def table_of(run: Run, app: str) -> evidence.Table:
    return dict(zip(APPS, evidence.tables(run.names), strict=True))[app]


async def all_lanes_commit(run: Run, app: str) -> None:
    """Wait until the app's workers run all lanes, and each lane has committed from then on."""
    await run.all_lanes_run(app)
    before = run.watch.committed(table_of(run, app).journal)

    async def commit() -> bool:
        now = run.watch.committed(table_of(run, app).journal)
        return all(now.get(number, 0) >= before.get(number, 0) + COMMITS for number in range(PARTITIONS))

    await eventually(commit, 60)


async def has_its_share(run: Run, name: str) -> None:
    """Wait until the worker runs a lane."""

    async def runs() -> bool:
        return bool(run.workers.lanes(name))

    await eventually(runs, 60)


async def begins_anew(run: Run, app: str, name: str) -> None:
    """End the worker in good order, which alone puts all of its rows on disk, and start it again."""
    await has_its_share(run, name)
    await run.workers.leave(name)
    run.workers.start(name, app)


async def kill(run: Run, app: str, name: str) -> Path:
    """Kill the worker for good amid its work, and return its state, which has rows of every partition."""
    await all_lanes_commit(run, app)
    run.workers.rest(name)
    await assert_holds_rows(run, app, run.workers.state(name))
    return run.workers.state(name)


async def assert_holds_rows(run: Run, app: str, state: Path) -> None:
    """Also that they are older than the journal of each: there is something to be read back."""
    partitions = await evidence.read_table(run.bootstrap, table_of(run, app), [state])
    assert len(partitions) == PARTITIONS
    for each in partitions:
        (copy,) = each.copies
        assert copy.offset >= 0, f"nothing is on disk of {each.place}"
        assert copy.rows, f"no row is on disk of {each.place}"
        last = max(offset for offset, key, _ in each.journal if key == COMMIT_KEY)
        assert copy.offset < last, f"{each.place}: the copy stands at {copy.offset}, the journal at {last}"


@pytest.mark.parametrize("app", APPS)
async def test_deleted_between_two_lives(kafka: DevKafka, names: Names, tmp_path: Path, app: str) -> None:
    name = APPS[app]
    async with Run(f"state deleted, {app}", kafka.bootstrap, names, tmp_path, provider(seed())) as run:
        run.begin(triggers=1)
        playing = run.play(LONGER)
        for _ in range(3):
            await all_lanes_commit(run, app)
            await begins_anew(run, app, name)
            shutil.rmtree(await kill(run, app, name))
            run.nemesis.note("kill -9, state deleted", name)
            run.workers.start(name, app)
        await playing
        await run.finish()


async def test_deleted_under_a_running_worker(kafka: DevKafka, names: Names, tmp_path: Path) -> None:
    """What is open stays readable; the worker goes on, or ends and says why, and its successor restores."""
    async with Run("state deleted while in use", kafka.bootstrap, names, tmp_path, provider(seed()), ends=DISK) as run:
        run.begin(triggers=2)
        playing = run.play(LONGER)
        for name in ("t1", "t2"):
            await all_lanes_commit(run, "triggers")
            await begins_anew(run, "triggers", name)
            await all_lanes_commit(run, "triggers")
            assert list(run.workers.state(name).rglob("*.sst")), "nothing is on disk"
            shutil.rmtree(run.workers.state(name), ignore_errors=True)  # it writes there meanwhile
            run.nemesis.note("state deleted", name)
        await playing
        await run.settle()
        for name in ("t1", "s1", "t2"):
            run.workers.kill(name)
            run.nemesis.note("kill -9", name)
        await run.all_lanes_run()
        await run.finish()


@pytest.mark.parametrize("app", APPS)
async def test_restored_from_an_old_copy(kafka: DevKafka, names: Names, tmp_path: Path, app: str) -> None:
    name, copy = APPS[app], tmp_path / "copy"
    async with Run(f"old copy of the state, {app}", kafka.bootstrap, names, tmp_path, provider(seed())) as run:
        first, second = run.load.parts(0.5)
        run.begin(triggers=1)
        await run.play(SECONDS / 2, first)
        await run.settle()
        await run.workers.leave(name)
        shutil.copytree(run.workers.state(name), copy)
        run.workers.start(name, app)
        playing = run.play(SECONDS, second)
        for _ in range(2):
            state = await kill(run, app, name)
            shutil.rmtree(state)
            shutil.copytree(copy, state)
            await assert_holds_rows(run, app, state)
            run.nemesis.note("kill -9, old copy restored", name)
            run.workers.start(name, app)
        await playing
        await run.finish()


@pytest.mark.parametrize("app", APPS)
async def test_full(kafka: DevKafka, names: Names, tmp_path: Path, app: str) -> None:
    """A worker whose disk is full ends as it takes a partition over, and says why; a larger disk ends the matter."""
    other = APPS[app]
    async with Run(f"disk full, {app}", kafka.bootstrap, names, tmp_path, provider(seed()), ends=DISK) as run:
        run.begin(triggers=1)
        state = run.workers.state("small")
        state.mkdir()
        run.workers.start("small", app, within=on_a_filesystem(state, FILESYSTEM))
        playing = run.play(LONGER)
        await has_its_share(run, "small")
        await all_lanes_commit(run, app)
        fill(Path(f"/proc/{run.workers['small'].process.pid}/root{state}"))
        run.nemesis.note("disk full", "small")
        run.workers.rest(other)  # so that the one with the full disk has everything to do
        run.nemesis.note("kill -9", other)

        async def ended() -> bool:
            return any(each.name == "small" and "No space left" in each.last for each in run.workers.ended)

        await eventually(ended, 90)
        run.workers.start(other, app)
        await playing  # the supervisor has started it again by now, on the disk that everybody has
        await run.finish()


def on_a_filesystem(directory: Path, size: str) -> tuple[str, ...]:
    """Return the command before a worker's that gives it a small filesystem of its own at `directory`."""
    mount = f'mount -t tmpfs -o size={size} whimbrel "$0" && exec "$@"'
    return ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(directory))


def fill(directory: Path) -> None:
    """Leave no byte free there."""
    with (directory / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(bytes(1 << 20))
