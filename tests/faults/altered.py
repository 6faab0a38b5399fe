"""Topics that are not what they should be: settings changed, and put back; topics deleted and made anew."""

from collections.abc import Collection, Mapping

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from app.streams import topics
from app.streams.client import opened_admin
from app.streams.names import Names
from tests.faults.run import PARTITIONS
from tests.kafka.waiting import eventually


async def alter(
    bootstrap: str, names: Names, wanted: Collection[str], settings: Mapping[str, str] = {}, copies: int = 1
) -> None:
    """Give the topics of these names settings beyond the table's; none puts the table's back."""
    table = [topic for topic in topics.table(names, PARTITIONS, copies) if topic.name in wanted]
    altered = [ConfigResource(ConfigResourceType.TOPIC, each.name, {**each.settings, **settings}) for each in table]
    async with opened_admin(bootstrap) as admin:
        for answer in await admin.alter_configs(altered):
            assert not any(code for code, *_ in answer.resources), answer


async def make_anew(bootstrap: str, names: Names, name: str) -> None:
    """Delete a topic and create it again."""
    await delete(bootstrap, name)
    await topics.create(bootstrap, names, PARTITIONS)


async def delete(bootstrap: str, name: str) -> None:
    """Delete a topic, and return when it is gone."""
    async with opened_admin(bootstrap) as admin:
        await admin.delete_topics([name])

        async def gone() -> bool:
            return name not in await admin.list_topics()

        await eventually(gone)
