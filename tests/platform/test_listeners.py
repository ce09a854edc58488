"""News travels up in the transaction that makes it."""

from collections.abc import Sequence
from typing import Any

import pytest

from dawr.platform import listeners
from dawr.platform.db import WriteTx
from dawr.platform.services import Services
from tests.conftest import House


class Heard:
    """A listener that keeps what it hears, and refuses what it is told to refuse."""

    def __init__(self, refused: str = "") -> None:
        self.news: list[Any] = []
        self.refused = refused

    async def listen(self, tx: WriteTx, services: Services, news: Sequence[Any]) -> None:
        assert tx.facility_id is not None
        assert services.db.listeners
        self.news += news
        if self.refused in news:
            raise ValueError(self.refused)


async def test_a_listener_hears_its_topic_once(house: House) -> None:
    heard = Heard()
    listen = heard.listen
    for _ in range(2):
        listeners.now(house.services, "one topic", listen)
    async with house.here().write() as tx:
        await listeners.tell(tx, "one topic", ["first", "second"])
        await listeners.tell(tx, "another topic", ["third"])
    assert heard.news == ["first", "second"]


async def renamed(house: House) -> None:
    async with house.here().write() as tx:
        await tx.execute("UPDATE facility SET name = '{}' WHERE facility_id = %(facility_id)s")
        await listeners.tell(tx, "refusing", ["no"])


async def test_a_listener_that_refuses_takes_the_change_with_it(house: House) -> None:
    listeners.now(house.services, "refusing", Heard("no").listen)
    with pytest.raises(ValueError, match="no"):
        await renamed(house)
    async with house.here().read() as tx:
        assert await tx.value("SELECT name FROM facility WHERE facility_id = %(facility_id)s") == {"en": "Test house"}
