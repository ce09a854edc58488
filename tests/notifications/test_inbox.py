"""The inbox: one row for everybody concerned, found by whoever it is for, read by each for themselves."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from dawr.accounts.rules import Actor, Role
from dawr.notifications import commands, commands_news, queries
from dawr.notifications.rules import NotificationNotFound
from dawr.platform.errors import Forbidden
from dawr.platform.outbox import OutboxWorker
from tests.conftest import found_house
from tests.notifications.conftest import Desk
from tests.visits.conftest import Reception


async def unread(desk: Desk, actor: Actor) -> list[UUID]:
    async with desk.house.here().read() as tx:
        return [one.notice for one in await queries.inbox(tx, actor, before=None, unread=True, limit=50)]


async def read_all(desk: Desk, actor: Actor) -> None:
    async with desk.house.here().write() as tx:
        await commands.read_all(tx, actor)


async def several(desk: Desk, reception: Reception, count: int) -> None:
    for _ in range(count):
        await desk.visit_event((await reception.visit()).visit)


async def test_a_visit_is_in_the_inbox_of_those_concerned_alone(desk: Desk, reception: Reception) -> None:
    visit = await reception.visit()
    await desk.visit_event(visit.visit)
    house = desk.house
    omar = replace(house.dana, clinics=frozenset({"xray"}))
    found = [[one.visit for one in await desk.inbox(actor)] for actor in (house.dana, house.rui, house.ada, omar)]
    assert found == [[visit.visit], [visit.visit], [visit.visit], []]


async def test_the_worker_has_it_there_within_five_seconds(desk: Desk, reception: Reception) -> None:
    worker = OutboxWorker(desk.services)
    task = asyncio.create_task(worker.run())
    try:
        visit = await reception.visit()
        async with asyncio.timeout(5):
            while not await desk.inbox(desk.house.dana):
                await asyncio.sleep(0.05)
    finally:
        worker.stop()
        await task
    assert [one.visit for one in await desk.inbox(desk.house.dana)] == [visit.visit]


async def test_it_is_one_row_however_many_it_is_for_and_often_it_is_told(desk: Desk, reception: Reception) -> None:
    visit = await reception.visit()
    for _ in range(2):
        await desk.visit_event(visit.visit)
    async with desk.house.here().read() as tx:
        assert await tx.value("SELECT count(*) FROM notice WHERE facility_id = %(facility_id)s") == 1


async def test_what_else_happens_to_a_visit_is_no_news(desk: Desk, reception: Reception) -> None:
    await desk.visit_event((await reception.visit()).visit, "visit_completed")
    assert await desk.inbox(desk.house.rui) == []


async def test_reading_is_everybodys_own(desk: Desk, reception: Reception) -> None:
    await several(desk, reception, 2)
    first, second = await unread(desk, desk.house.ada)
    ada, rui = desk.house.ada, desk.house.rui
    async with desk.house.here().write() as tx:
        await commands.read(tx, ada, notice=first)
    assert await unread(desk, ada) == [second]
    assert await unread(desk, rui) == [first, second]


async def test_everything_is_read_at_once_the_old_and_the_young(desk: Desk, reception: Reception) -> None:
    ada = desk.house.ada
    await several(desk, reception, 1)
    desk.house.clock.offset += timedelta(minutes=2)
    await several(desk, reception, 1)
    await read_all(desk, ada)
    assert await unread(desk, ada) == []
    assert [one.read for one in await desk.inbox(ada)] == [True, True]
    async with desk.house.here().read() as tx:
        marks = await tx.value("SELECT count(*) FROM notice_read WHERE facility_id = %(facility_id)s")
    assert marks == 1


async def test_what_was_underway_when_all_was_read_stays_unread(desk: Desk, reception: Reception) -> None:
    """Its id is earlier than the moment of reading, and nobody can have seen it."""
    ada = desk.house.ada
    visit = await reception.visit()
    async with desk.house.here().write() as tx:
        await commands_news.visits_created(tx, desk.services, desk.house.facility, [visit.visit])
        await read_all(desk, ada)
    assert len(await unread(desk, ada)) == 1


async def test_another_clinics_notice_cannot_be_read_by_a_doctor(desk: Desk, reception: Reception) -> None:
    await several(desk, reception, 1)
    (notice,) = await unread(desk, desk.house.rui)
    stranger = replace(desk.house.dana, clinics=frozenset({"xray"}))
    with pytest.raises(NotificationNotFound):
        async with desk.house.here().write() as tx:
            await commands.read(tx, stranger, notice=notice)


async def test_another_facilitys_notices_do_not_exist(desk: Desk, reception: Reception) -> None:
    await several(desk, reception, 1)
    (notice,) = await unread(desk, desk.house.ada)
    other = await found_house(desk.services)
    async with other.here().write() as tx:
        assert await queries.inbox(tx, other.ada, before=None, unread=None, limit=50) == []
        with pytest.raises(NotificationNotFound):
            await commands.read(tx, other.ada, notice=notice)


async def test_a_display_has_no_inbox(desk: Desk) -> None:
    with pytest.raises(Forbidden):
        await desk.inbox(Actor(kind="staff", account_id=uuid4(), role=Role.DISPLAY))
