"""Passing a person on to another clinic: all or nothing."""

import asyncio
from datetime import timedelta

import pytest

from dawr.facilities.rules import ClinicNotFound
from dawr.platform.crypto import CannotOpenError
from dawr.platform.errors import Forbidden
from dawr.tickets import queries
from dawr.tickets.people import shown_person
from dawr.tickets.queries import TicketView
from dawr.tickets.rules import AlreadyInQueue, Place, Placed, Priority, Status, TicketNotFound, Verb, WrongState
from tests.conftest import House
from tests.tickets.conftest import ONLY_STAFF, Floor, not_from


@pytest.mark.parametrize("status", [Status.WAITING, Status.CALLED, Status.SERVING, Status.HELD])
async def test_the_person_leaves_here_and_waits_there(floor: Floor, status: Status) -> None:
    ticket = await floor.in_state("amina", status)
    there = await floor.transfer(ticket, "xray")
    assert (there.code, there.status, there.previous, there.desk) == ("XR-001", Status.WAITING, ticket.id, None)
    assert (await floor.ticket(ticket.id)).status is Status.TRANSFERRED
    assert (await floor.waiting(), await floor.waiting("xray")) == ([], ["XR-001"])


async def test_both_tickets_are_linked(floor: Floor, house: House) -> None:
    ticket = await floor.enter("amina")
    there = await floor.transfer(ticket, "xray")
    async with house.here().read() as tx:
        assert await queries.following(tx, await floor.ticket(ticket.id)) == there.id
    assert await floor.history(there) == ["ticket_entered"]


# The place in the queue there


async def test_at_the_end_behind_those_who_came_before(floor: Floor) -> None:
    ticket = await floor.enter("amina")
    await floor.several(2, clinic="xray")
    assert (await floor.transfer(ticket, "xray")).placed is Placed.ARRIVAL
    assert await floor.waiting("xray") == ["XR-001", "XR-002", "XR-003"]


async def test_at_the_front_before_everybody(floor: Floor, house: House) -> None:
    ticket = await floor.enter("amina")
    await floor.several(1, clinic="xray")
    await floor.enter("urgent", clinic="xray", actor=house.rui, priority=Priority.EMERGENCY)
    assert (await floor.transfer(ticket, "xray", place=Place.FRONT)).placed is Placed.FRONT
    assert await floor.waiting("xray") == ["XR-003", "XR-002", "XR-001"]


async def test_by_arrival_between_those_who_came_before_and_after(floor: Floor) -> None:
    await floor.enter("early", clinic="xray")
    ticket = await floor.enter("amina")
    await floor.enter("later", clinic="xray")
    assert (await floor.transfer(ticket, "xray", place=Place.BY_ARRIVAL)).placed is Placed.BY_ARRIVAL
    assert await floor.waiting("xray") == ["XR-001", "XR-003", "XR-002"]


@pytest.mark.parametrize("place", list(Place))
async def test_an_emergency_stays_one(floor: Floor, house: House, place: Place) -> None:
    ticket = await floor.enter("amina", actor=house.rui, priority=Priority.EMERGENCY)
    await floor.several(2, clinic="xray")
    there = await floor.transfer(ticket, "xray", place=place)
    await floor.enter("urgent too", clinic="xray", actor=house.rui, priority=Priority.EMERGENCY)
    assert (await floor.waiting("xray"))[:2] == [there.code, "XR-004"]


@pytest.mark.parametrize("place", list(Place))
async def test_into_an_empty_room_any_place_is_the_first(floor: Floor, place: Place) -> None:
    there = await floor.transfer(await floor.enter("amina"), "xray", place=place)
    assert (await floor.view(there.id)).ahead == 0


# What cannot be


@pytest.mark.parametrize("place", list(Place))
async def test_where_the_person_already_waits_nothing_changes(floor: Floor, place: Place) -> None:
    ticket, _ = await floor.enter("amina"), await floor.enter("amina", clinic="xray")
    before = await floor.status(), await floor.status("xray")
    with pytest.raises(AlreadyInQueue):
        await floor.transfer(ticket, "xray", place=place)
    assert (await floor.status(), await floor.status("xray")) == before
    assert await floor.ticket(ticket.id) == ticket
    assert (await floor.enter("next", clinic="xray")).number == 2


async def test_to_the_clinic_where_the_ticket_is_nothing_changes(floor: Floor) -> None:
    ticket = await floor.enter("amina")
    with pytest.raises(AlreadyInQueue):
        await floor.transfer(ticket, "lab")
    assert await floor.ticket(ticket.id) == ticket


async def test_to_an_unknown_clinic_nothing_changes(floor: Floor) -> None:
    ticket = await floor.enter("amina")
    with pytest.raises(ClinicNotFound):
        await floor.transfer(ticket, "nowhere")
    assert await floor.ticket(ticket.id) == ticket


@pytest.mark.parametrize("status", not_from(Verb.TRANSFER))
async def test_what_has_ended_cannot_be_passed_on(floor: Floor, status: Status) -> None:
    ticket = await floor.in_state("amina", status)
    before = await floor.status("xray")
    with pytest.raises(WrongState) as refused:
        await floor.transfer(ticket, "xray")
    assert refused.value.extra == {"state": status}
    assert await floor.status("xray") == before


@pytest.mark.parametrize(("who", "refusal"), ONLY_STAFF)
async def test_others_may_not_pass_on(floor: Floor, who: str, refusal: type[Exception]) -> None:
    ticket = await floor.enter("amina")
    with pytest.raises(refusal):
        await floor.transfer(ticket, "xray", actor=floor.someone(who, ticket))
    assert await floor.waiting() == [ticket.code]


async def test_the_right_on_the_clinic_left_is_enough(floor: Floor, house: House) -> None:
    there = await floor.transfer(await floor.enter("amina"), "xray", actor=house.dana)
    with pytest.raises(Forbidden):
        await floor.transfer(there, "lab", actor=house.dana)


async def test_another_facilitys_ticket_does_not_exist(floor: Floor) -> None:
    ticket, other = await floor.enter("amina"), await floor.elsewhere()
    with pytest.raises(TicketNotFound):
        await other.transfer(ticket, "xray")


# At the same time


async def test_two_transfers_of_one_ticket_make_one_ticket(floor: Floor) -> None:
    ticket = await floor.enter("amina")
    answers = await asyncio.gather(*(floor.transfer(ticket, "xray") for _ in range(4)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in answers) == ["Ticket", *["WrongState"] * 3]
    assert await floor.waiting("xray") == ["XR-001"]


async def test_crossing_in_both_directions_nobody_is_lost(floor: Floor) -> None:
    here, there = await floor.several(10), [await floor.enter(f"x-{n}", clinic="xray") for n in range(10)]
    crossing = [floor.transfer(one, "xray") for one in here] + [floor.transfer(one, "lab") for one in there]
    await asyncio.gather(*crossing)
    assert (len(await floor.waiting()), len(await floor.waiting("xray"))) == (10, 10)


async def test_passing_on_and_taking_back_cross_without_a_deadlock(floor: Floor) -> None:
    gone = [await floor.enter(f"gone-{n}", clinic="xray") for n in range(5)]
    for one in gone:
        await floor.transfer(one, "lab")
    here = await floor.several(5)
    await asyncio.gather(*(floor.undo(one) for one in gone), *(floor.transfer(one, "xray") for one in here))
    assert (await floor.waiting(), len(await floor.waiting("xray"))) == ([], 10)


async def test_the_person_entering_there_at_once_has_one_ticket_there(floor: Floor) -> None:
    ticket = await floor.enter("amina")
    await asyncio.gather(floor.transfer(ticket, "xray"), floor.enter("amina", clinic="xray"), return_exceptions=True)
    assert len(await floor.waiting("xray")) == 1


# What is known of the person


async def test_name_and_phone_can_be_read_there(floor: Floor, house: House) -> None:
    ticket, _ = await floor.enter_or_find("amina", name="أمينة", phone="+97455550101")
    there = await floor.transfer(ticket, "xray")
    assert shown_person(house.here(), await floor.view(there.id)) == {"name": "أمينة", "phone": "+97455550101"}


async def test_sealed_data_cannot_be_read_under_another_ticket(floor: Floor, house: House) -> None:
    ticket = await floor.enter("amina", name="Amina")
    there = await floor.view((await floor.transfer(ticket, "xray")).id)
    swapped = TicketView(ticket, there.today, 0, None, there.name_sealed, there.phone_sealed)
    with pytest.raises(CannotOpenError):
        shown_person(house.here(), swapped)


async def test_the_person_is_known_there_again(floor: Floor) -> None:
    there = await floor.transfer(await floor.enter("amina"), "xray")
    assert await floor.enter_or_find("amina", clinic="xray") == (there, True)


async def test_by_arrival_somebody_carried_over_is_first(floor: Floor, house: House) -> None:
    ticket = await floor.enter("amina")
    house.clock.offset += timedelta(days=1)
    await floor.enter("today", clinic="xray")
    await floor.transfer(ticket, "xray", place=Place.BY_ARRIVAL)
    assert await floor.waiting("xray") == ["XR-002", "XR-001"]
