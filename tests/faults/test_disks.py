"""State directories that are deleted, old, or full: each is a copy of the journal, and worth no more."""

import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from app.dev.kafka import DevKafka
from app.streams.names import Names
from tests.faults.load import provider
from tests.faults.run import PARTITIONS, Run, seed
from tests.kafka.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.long]

SECONDS = 15.0
RUNS = "lane runs"
FILESYSTEM = "64m"
APPS = {"triggers": "t1", "sender": "s1"}


async def commits(run: Run, more: int) -> None:
    """Wait until so many more batches are committed."""
    goal = run.watch.commits + more

    async def done() -> bool:
        return run.watch.commits >= goal

    await eventually(done, 60)


@pytest.mark.parametrize("app", APPS)
async def test_deleted_between_two_lives(kafka: DevKafka, names: Names, tmp_path: Path, app: str) -> None:
    name = APPS[app]
    async with Run(f"state deleted, {app}", kafka.bootstrap, names, tmp_path, provider(seed())) as run:
        run.begin(triggers=1)
        playing = run.play(SECONDS)
        for _ in range(3):
            await commits(run, 15)
            await took_up(run, name)
            run.workers.rest(name)
            shutil.rmtree(run.workers.state(name))
            run.nemesis.note("kill -9, state deleted", name)
            run.workers.start(name, app)
        await playing
        await run.finish()


async def test_deleted_under_a_running_worker(kafka: DevKafka, names: Names, tmp_path: Path) -> None:
    """What is open stays readable; the worker goes on, or ends and says why, and its successor restores."""
    async with Run("state deleted while in use", kafka.bootstrap, names, tmp_path, provider(seed())) as run:
        run.begin(triggers=2)
        playing = run.play(SECONDS)
        for name in ("t1", "t2"):
            await commits(run, 15)
            shutil.rmtree(run.workers.state(name), ignore_errors=True)  # it writes there meanwhile
            run.nemesis.note("state deleted", name)
        await playing
        await run.settle()
        for name in ("t1", "s1", "t2"):
            run.workers.kill(name)
            run.nemesis.note("kill -9", name)
        await took_up(run, "t1", "t2")
        await took_up(run, "s1")
        await run.finish()


async def took_up(run: Run, *names: str) -> None:
    """Wait until every partition's lane runs in the present lives of these workers, all that their app has."""

    def lanes(name: str) -> int:
        worker = run.workers[name]
        return run.workers.logged(name)[worker.begins :].count(RUNS) if worker.process.running else 0

    async def up() -> bool:
        return sum(lanes(name) for name in names) >= PARTITIONS

    await eventually(up, 60)


@pytest.mark.parametrize("app", APPS)
async def test_restored_from_an_old_copy(kafka: DevKafka, names: Names, tmp_path: Path, app: str) -> None:
    name, copy = APPS[app], tmp_path / "copy"
    async with Run(f"old copy of the state, {app}", kafka.bootstrap, names, tmp_path, provider(seed())) as run:
        first, second = run.load.parts(0.5)
        run.begin(triggers=1)
        await run.play(SECONDS / 2, first)
        await run.settle()
        run.workers.rest(name)
        shutil.copytree(run.workers.state(name), copy)
        run.workers.start(name, app)
        playing = run.play(SECONDS, second)
        for _ in range(2):
            await commits(run, 20)
            run.workers.rest(name)
            shutil.rmtree(run.workers.state(name))
            shutil.copytree(copy, run.workers.state(name))
            run.nemesis.note("kill -9, old copy restored", name)
            run.workers.start(name, app)
        await playing
        await run.finish()


@pytest.mark.parametrize("app", APPS)
async def test_full(kafka: DevKafka, names: Names, tmp_path: Path, app: str) -> None:
    """A worker whose disk is full ends and says why; another works on, and a larger disk ends the matter."""
    other = APPS[app]
    async with Run(f"disk full, {app}", kafka.bootstrap, names, tmp_path, provider(seed())) as run:
        run.begin(triggers=1)
        state = run.workers.state("small")
        state.mkdir()
        run.workers.start("small", app, within=on_a_filesystem(state, FILESYSTEM))
        playing = run.play(SECONDS)
        await commits(run, 15)
        fill(Path(f"/proc/{run.workers['small'].process.pid}/root{state}"))
        run.nemesis.note("disk full", "small")
        run.workers.kill(other)  # so that the one with the full disk has everything to do
        run.nemesis.note("kill -9", other)

        async def ended() -> bool:
            return any(each.name == "small" and "No space left" in each.last for each in run.workers.ended)

        await eventually(ended, 90)
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
