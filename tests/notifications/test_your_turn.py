"""Who is called is told so, once, while it is worth it; the queue's log is read on without missing or repeating anything."""

import asyncio
from datetime import timedelta

import pytest

from dawr.notifications import commands_queue, store
from dawr.notifications.rules import Moment, Status
from dawr.platform.db import WriteTx
from dawr.tickets.rules import Verb
from tests.notifications.conftest import PHONE, Desk


async def test_who_is_called_is_told_where_to_go(desk: Desk) -> None:
    ticket = await desk.enter("amina")
    await desk.floor.call_ticket(ticket, desk="2")
    await desk.read()
    (message,) = await desk.send()
    assert (message.text, message.to) == (f"{ticket.code}: it is your turn. Lab, desk 2", PHONE)
    assert message.urgent
    assert 0 < message.seconds_left <= 600


async def test_nothing_is_told_twice_however_often_the_log_is_read(desk: Desk) -> None:
    await desk.floor.call_ticket(await desk.enter("amina"), desk="1")
    assert await desk.read() == 1
    await desk.change("UPDATE notification_cursor SET version = 0 WHERE facility_id = %(facility_id)s")
    assert await desk.read() == 1
    assert await desk.read() == 0
    assert [one.moment for one in await desk.log()] == [Moment.YOUR_TURN]


async def test_a_crowd_that_enters_is_passed_over_and_not_looked_at_again(desk: Desk) -> None:
    for number in range(3):
        await desk.enter(f"person-{number}")
    assert await desk.read() == 0
    async with desk.house.here().write() as tx:
        assert await commands_queue.behind(tx) == []


async def test_who_left_no_phone_costs_no_row(desk: Desk) -> None:
    await desk.floor.call_ticket(await desk.enter("amina", phone=None), desk="1")
    await desk.read()
    assert await desk.log() == []


async def test_a_second_call_is_told_again(desk: Desk) -> None:
    ticket = await desk.floor.call_ticket(await desk.enter("amina"), desk="1")
    await desk.floor.move(ticket, Verb.NO_SHOW)
    await desk.floor.move(ticket, Verb.REJOIN)
    await desk.floor.call_ticket(ticket, desk="1")
    await desk.read()
    assert len([one for one in await desk.log() if one.moment is Moment.YOUR_TURN]) == 2


async def test_a_call_of_an_hour_ago_is_told_nobody(desk: Desk) -> None:
    await desk.floor.call_ticket(await desk.enter("amina"), desk="1")
    desk.house.clock.offset += timedelta(hours=1)
    await desk.read()
    assert await desk.log() == []


async def test_several_readers_share_a_queue_without_telling_twice(desk: Desk) -> None:
    for number in range(12):
        await desk.floor.call_ticket(await desk.enter(f"person-{number}", phone=f"+9745550{number:04}"), desk="1")
    await asyncio.gather(*(desk.read() for _ in range(4)))
    assert len(await desk.log()) == 12


async def test_a_reading_that_fails_leaves_the_cursor_where_it_was(desk: Desk) -> None:
    await desk.floor.call_ticket(await desk.enter("amina"), desk="1")
    try:
        async with desk.house.here().write() as tx:
            assert await commands_queue.read_on(tx, desk.services, desk.house.facility, "lab") == 1
            raise ZeroDivisionError
    except ZeroDivisionError:
        assert await desk.log() == []
    assert await desk.read() == 1
    assert len(await desk.log()) == 1


async def test_a_call_that_was_taken_back_is_not_sent(desk: Desk) -> None:
    ticket = await desk.floor.call_ticket(await desk.enter("amina"), desk="1")
    await desk.read()
    await desk.floor.undo(ticket)
    assert await desk.send() == []
    assert await desk.states() == [("your_turn", Status.SUPPRESSED, "outdated")]


async def test_a_queue_to_which_people_only_came_is_passed_over(desk: Desk) -> None:
    for clinic in ("lab", "xray"):
        await desk.enter("amina", clinic=clinic)
        await desk.read(clinic)
        await desk.enter("omar", clinic=clinic)
    await desk.floor.call_ticket(await desk.enter("noor"), desk="1")
    async with desk.house.here().write() as tx:
        assert await commands_queue.behind(tx) == ["lab"]
    assert await desk.read() > 0


async def test_a_crowd_that_comes_in_meanwhile_is_not_read_in_this_round(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.enter("amina")
    await desk.read()
    pass_cursors = store.pass_cursors

    async def passed_while_somebody_comes(tx: WriteTx, prefix: str, *, called: str) -> int:
        passed = await pass_cursors(tx, prefix, called=called)
        await desk.enter("omar")
        return passed

    monkeypatch.setattr(store, "pass_cursors", passed_while_somebody_comes)
    async with desk.house.here().write() as tx:
        assert await commands_queue.behind(tx) == []


async def test_the_queue_that_moved_is_the_one_that_is_behind(desk: Desk) -> None:
    await desk.enter("amina")
    await desk.enter("omar", clinic="xray")
    await desk.read("xray")
    async with desk.house.here().write() as tx:
        assert await commands_queue.behind(tx) == ["lab"]
