"""Whoever did not come when called comes back: near the front, not at the end."""

import asyncio
from datetime import timedelta

import pytest

from dawr.tickets.rules import AlreadyInQueue, Placed, Priority, Status, Ticket, TicketNotFound, Verb, WrongState
from tests.conftest import House
from tests.tickets.conftest import ONLY_STAFF, Floor, not_from


async def missed(floor: Floor, user: str = "amina") -> Ticket:
    return await floor.in_state(user, Status.NO_SHOW)


@pytest.mark.parametrize("others", range(6))
async def test_behind_at_most_two_others(floor: Floor, others: int) -> None:
    ticket = await missed(floor)
    await floor.several(others)
    back = await floor.move(ticket, Verb.REJOIN)
    assert (await floor.view(back.id)).ahead == min(others, 2)
    assert (back.status, back.placed, back.desk, back.called_at) == (Status.WAITING, Placed.REJOINED, None, None)


async def test_many_who_come_back_stand_behind_at_most_two_each(floor: Floor) -> None:
    tickets = [await missed(floor, f"missed-{n}") for n in range(15)]
    waiting = [one.code for one in await floor.several(4)]
    for ticket in tickets:
        back = await floor.move(ticket, Verb.REJOIN)
        assert (await floor.view(back.id)).ahead <= 2
    assert [code for code in await floor.waiting() if code in waiting] == waiting


async def test_whoever_comes_back_stands_near_the_front_among_emergencies(floor: Floor, house: House) -> None:
    ticket = await missed(floor)
    await floor.several(2)
    await floor.enter("urgent", actor=house.rui, priority=Priority.EMERGENCY)
    back = await floor.move(ticket, Verb.REJOIN)
    assert await floor.waiting() == ["LAB-004", "LAB-002", back.code, "LAB-003"]


async def test_whoever_comes_back_to_an_empty_room_is_first(floor: Floor) -> None:
    back = await floor.move(await missed(floor), Verb.REJOIN)
    assert (await floor.call()).id == back.id


async def test_coming_back_is_impossible_with_a_second_ticket(floor: Floor) -> None:
    first = await missed(floor)
    await floor.enter("amina")
    with pytest.raises(AlreadyInQueue):
        await floor.move(first, Verb.REJOIN)
    assert await floor.waiting() == ["LAB-002"]
    assert (await floor.ticket(first.id)) == first


async def test_nobody_comes_back_to_a_service_day_that_is_over(floor: Floor, house: House) -> None:
    ticket = await missed(floor)
    house.clock.offset += timedelta(days=1)
    with pytest.raises(WrongState):
        await floor.move(ticket, Verb.REJOIN)
    assert (await floor.enter("amina")).service_day == ticket.service_day + timedelta(days=1)


@pytest.mark.parametrize("status", not_from(Verb.REJOIN))
async def test_only_who_did_not_come_can_come_back(floor: Floor, status: Status) -> None:
    ticket = await floor.in_state("amina", status)
    with pytest.raises(WrongState) as refused:
        await floor.move(ticket, Verb.REJOIN)
    assert refused.value.extra == {"state": status}


@pytest.mark.parametrize(("who", "refusal"), ONLY_STAFF)
async def test_others_may_not_put_anybody_back(floor: Floor, who: str, refusal: type[Exception]) -> None:
    ticket = await missed(floor)
    with pytest.raises(refusal):
        await floor.move(ticket, Verb.REJOIN, actor=floor.someone(who, ticket))


async def test_another_facilitys_ticket_does_not_exist(floor: Floor) -> None:
    ticket, other = await missed(floor), await floor.elsewhere()
    with pytest.raises(TicketNotFound):
        await other.move(ticket, Verb.REJOIN)


async def test_coming_back_and_taking_another_ticket_at_once_leaves_one(floor: Floor) -> None:
    ticket = await missed(floor)
    answers = await asyncio.gather(floor.move(ticket, Verb.REJOIN), floor.enter("amina"), return_exceptions=True)
    assert not [one for one in answers if isinstance(one, Exception) and not isinstance(one, AlreadyInQueue)]
    assert len(await floor.waiting()) == 1


async def test_twenty_back_at_once_are_all_there(floor: Floor) -> None:
    tickets = [await missed(floor, f"missed-{n}") for n in range(20)]
    await asyncio.gather(*(floor.move(one, Verb.REJOIN) for one in tickets))
    assert sorted(await floor.waiting()) == sorted(one.code for one in tickets)
