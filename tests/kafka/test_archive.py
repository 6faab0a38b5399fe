"""The archive of Kafka's classes, written once, used by every broker after it."""

from pathlib import Path

import pytest

from app.dev.archive import archive, using_archive
from app.dev.jars import classpath
from app.dev.kafka import DevKafka, prepare, prepared
from tests.kafka.waiting import wait_until

pytestmark = pytest.mark.kafka


@pytest.mark.usefixtures("kafka")
def test_prepared_once_every_broker_maps_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jars = Path(classpath()).parent
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "whimbrel").mkdir()
    (tmp_path / "whimbrel" / jars.name).symlink_to(jars)
    assert not prepared()
    assert using_archive() == ()
    prepare()
    assert prepared()
    assert sorted(each.name for each in (tmp_path / "whimbrel").iterdir()) == sorted([jars.name, archive().name])
    with DevKafka() as broker:
        maps = Path(f"/proc/{broker.pid}/maps")
        wait_until(lambda: str(archive()) in maps.read_text(encoding="utf-8"))
