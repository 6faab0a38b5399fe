"""A mailbox that any test may have, and a sender's partition in front of it."""

from collections.abc import AsyncIterator

import pytest

from app.dev.mailbox import Mailbox
from tests.unit.delivery.postroom import Postroom


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with Mailbox() as box:
        yield box


@pytest.fixture
def postroom(mailbox: Mailbox) -> Postroom:
    return Postroom(mailbox)
