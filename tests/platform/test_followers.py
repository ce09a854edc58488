"""Whoever follows the log finds the way on after a restore into another cluster, and nobody is asked where nothing is new."""

from collections.abc import AsyncIterator

import psycopg
import pytest

from dawr.platform import followers
from dawr.platform.events import Recorded, begin_epoch
from dawr.platform.services import Services
from tests.conftest import House, found_house
from tests.notifications.conftest import services_alone
from tests.plugins.conftest import until_settled
from tests.tickets.conftest import Floor

NAME = "plugin:test"
# A cluster that had counted further than this one, and whose log is brought here.
MOVED = "UPDATE event SET xact = (xact::text::bigint + 5000000000)::text::xid8"
PLACE_MOVED = "UPDATE follower SET xact = (xact::bigint + 5000000000)::text"
ELSEWHERE = "UPDATE log_epoch SET cluster = cluster - 1"


@pytest.fixture
async def services(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    async with services_alone(server_url, tmp_path_factory.mktemp("alone")) as made:
        yield made


async def told(house: House) -> list[str]:
    """Of whom the follower is told in one turn."""
    heard: list[str] = []

    async def tell(recorded: Recorded) -> None:
        heard.append(recorded.data["code"])

    await until_settled(house)
    await followers.turn(house.services.db, house.facility.id, NAME, tell)
    return heard


def restore(house: House) -> None:
    """As after a restore; a second start of the program changes nothing."""
    with psycopg.connect(house.services.db.url) as owner:
        owner.execute("SELECT set_config('dawr.facility', %s, false)", [str(house.facility.id)])
        for statement in (MOVED, PLACE_MOVED, ELSEWHERE):
            owner.execute(statement)
    with psycopg.connect(house.services.db.url) as owner:
        begin_epoch(owner)
        begin_epoch(owner)


async def test_after_a_restore_nothing_is_skipped_and_nothing_told_twice(house: House) -> None:
    floor = Floor(house)
    assert await told(house) == []
    await floor.enter("amina")
    assert await told(house) == ["LAB-001"]
    await floor.enter("bilal")
    restore(house)
    await floor.enter("chitra")
    assert await told(house) == ["LAB-002"]
    assert await told(house) == ["LAB-003"]
    assert await told(house) == []
    await floor.enter("dev")
    assert await told(house) == ["LAB-004"]


async def test_who_is_met_after_a_restore_begins_with_what_happens_then(house: House) -> None:
    floor = Floor(house)
    await floor.enter("amina")
    restore(house)
    assert await told(house) == []
    await floor.enter("bilal")
    assert await told(house) == ["LAB-002"]


async def test_two_restores_in_a_row(house: House) -> None:
    floor = Floor(house)
    await told(house)
    for name in ("amina", "bilal"):
        await floor.enter(name)
        restore(house)
    await floor.enter("chitra")
    assert [code for _ in range(4) for code in await told(house)] == ["LAB-001", "LAB-002", "LAB-003"]


async def test_only_facilities_with_news_are_named(house: House) -> None:
    other, db = await found_house(house.services), house.services.db
    assert set(await followers.due(db, NAME)) == {(house.facility.id, NAME), (other.facility.id, NAME)}
    for one in (house, other):
        await told(one)
    assert await followers.due(db, NAME) == []
    await Floor(other).enter("amina")
    await until_settled(house)
    assert await followers.due(db, NAME) == [(other.facility.id, NAME)]
    assert await followers.due(db, "plugin:") == [(other.facility.id, NAME)]
    assert await followers.due(db, "webhook:") == []


async def test_after_a_restore_they_are_named_until_they_have_caught_up(house: House) -> None:
    await told(house)
    await Floor(house).enter("amina")
    restore(house)
    while await followers.due(house.services.db, NAME):
        await told(house)
    async with house.here().read() as tx:
        assert await tx.value("SELECT count(DISTINCT epoch) FROM log_epoch") == 2
