"""A called person says that they will be late."""

import asyncio
from datetime import timedelta

import pytest

from dawr.facilities import queries as facilities
from dawr.tickets import queries
from dawr.tickets.rules import Placed, Status, Ticket, TicketNotFound, Verb, WrongState
from tests.conftest import House
from tests.tickets.conftest import STAFF_OR_THE_PATIENT, Floor, not_from


@pytest.mark.parametrize("others", range(5))
async def test_the_patient_goes_back_behind_at_most_two(floor: Floor, others: int) -> None:
    called = await floor.called("amina")
    await floor.several(others)
    late = await floor.move(called, Verb.LATE, actor=floor.someone("patient", called))
    assert (late.status, late.placed, late.desk) == (Status.WAITING, Placed.LATE, None)
    assert (await floor.view(late.id)).ahead == min(others, 2)


async def test_whoever_was_late_is_called_again_in_turn(floor: Floor) -> None:
    called = await floor.called("amina")
    await floor.several(3)
    await floor.move(called, Verb.LATE)
    assert [(await floor.call()).number for _ in range(4)] == [2, 3, 1, 4]


@pytest.mark.parametrize("status", not_from(Verb.LATE))
async def test_people_who_were_not_called_cannot_be_late(floor: Floor, status: Status) -> None:
    ticket = await floor.in_state("amina", status)
    with pytest.raises(WrongState) as refused:
        await floor.move(ticket, Verb.LATE)
    assert refused.value.extra == {"state": status}


@pytest.mark.parametrize(("who", "refusal"), STAFF_OR_THE_PATIENT)
async def test_others_may_not_say_it(floor: Floor, who: str, refusal: type[Exception]) -> None:
    ticket = await floor.called("amina")
    with pytest.raises(refusal):
        await floor.move(ticket, Verb.LATE, actor=floor.someone(who, ticket))


async def test_another_facilitys_ticket_does_not_exist(floor: Floor) -> None:
    ticket, other = await floor.called("amina"), await floor.elsewhere()
    with pytest.raises(TicketNotFound):
        await other.move(ticket, Verb.LATE, actor=floor.someone("patient", ticket))


async def test_late_said_and_served_at_once_is_one_of_both(floor: Floor) -> None:
    called = await floor.called("amina")
    answers = await asyncio.gather(
        floor.move(called, Verb.LATE), floor.move(called, Verb.SERVE), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in answers) == ["Ticket", "WrongState"]


async def is_late(floor: Floor, ticket: Ticket) -> bool:
    async with floor.house.here().read() as tx:
        found = await queries.view(tx, floor.house.here(), ticket.id)
        return queries.is_late(await facilities.clinic(tx, ticket.clinic), found, tx.now)


async def test_only_the_called_are_marked_as_late(floor: Floor, house: House) -> None:
    called, waiting = await floor.called("amina"), await floor.enter("second")
    serving, held = await floor.in_state("third", Status.SERVING), await floor.in_state("fourth", Status.HELD)
    house.clock.offset += timedelta(minutes=5, seconds=1)
    assert [await is_late(floor, one) for one in (called, waiting, serving, held)] == [True, False, False, False]


async def test_nobody_is_late_within_the_clinics_patience(floor: Floor, house: House) -> None:
    called = await floor.called("amina")
    house.clock.offset += timedelta(minutes=4)
    assert not await is_late(floor, called)
    await house.change_clinic("lab", late_after_seconds=60)
    assert await is_late(floor, called)
    await house.change_clinic("lab", late_after_seconds=None)
    assert not await is_late(floor, called)
