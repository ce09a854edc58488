"""Taking a ticket."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from dawr.facilities.rules import WEEKDAYS, ClinicClosed, DoctorNotFound, QueuePaused
from dawr.tickets import store
from dawr.tickets.people import shown_person
from dawr.tickets.rules import Priority, PriorityNotAllowed, QueueFull, Verb
from tests.conftest import House, found_house
from tests.tickets.conftest import Floor


async def test_numbers_are_one_two_three(floor: Floor) -> None:
    tickets = [await floor.enter(f"amina-{n}") for n in range(3)]
    assert [(t.number, t.code) for t in tickets] == [(1, "LAB-001"), (2, "LAB-002"), (3, "LAB-003")]


async def test_five_at_once_after_thirty_get_31_to_35(floor: Floor) -> None:
    for n in range(30):
        await floor.enter(f"early-{n}")
    tickets = await asyncio.gather(*(floor.enter(f"TEST_{n}") for n in range(5)))
    assert sorted(t.number for t in tickets) == [31, 32, 33, 34, 35]


async def test_200_at_once_of_50_people_are_50_tickets(floor: Floor) -> None:
    answers = await asyncio.gather(*(floor.enter_or_find(f"user-{n % 50}") for n in range(200)))
    assert len({ticket.id for ticket, _ in answers}) == 50
    assert sorted({ticket.number for ticket, _ in answers}) == list(range(1, 51))
    assert sum(existing for _, existing in answers) == 150


async def test_same_person_already_waiting_gets_the_same_ticket(floor: Floor) -> None:
    first = await floor.enter("amina")
    assert await floor.enter_or_find("amina") == (first, True)


async def test_same_person_may_come_again_when_done(floor: Floor) -> None:
    first = await floor.called("amina")
    await floor.move(first, Verb.DONE)
    assert (await floor.enter("amina")).number == 2


async def test_clinics_count_on_their_own(floor: Floor) -> None:
    await floor.enter("amina")
    assert (await floor.enter("amina", clinic="xray")).code == "XR-001"


async def test_a_failed_entry_burns_no_number(floor: Floor) -> None:
    with pytest.raises(DoctorNotFound):
        await floor.enter("amina", doctor="nobody")
    with pytest.raises(PriorityNotAllowed):
        await floor.enter("amina", priority=Priority.PRIORITY)
    assert (await floor.enter("amina")).number == 1


async def test_a_full_queue_takes_nobody(floor: Floor, house: House) -> None:
    await house.change_clinic("lab", capacity=1)
    await floor.enter("amina")
    with pytest.raises(QueueFull):
        await floor.enter("second")


async def test_outside_its_hours_a_clinic_is_closed(floor: Floor, house: House) -> None:
    tomorrow = WEEKDAYS[(house.clock.now() + timedelta(days=1, hours=12)).weekday()]
    await house.change_clinic("lab", hours={tomorrow: [["10:00", "10:01"]]})
    with pytest.raises(ClinicClosed):
        await floor.enter("amina")


async def test_the_kill_switch_stops_every_clinic(floor: Floor, house: House) -> None:
    async with house.here().write() as tx:
        await tx.execute("UPDATE facility SET paused = true WHERE facility_id = %(facility_id)s")
    with pytest.raises(QueuePaused):
        await floor.enter("amina")


async def test_emergencies_stand_before_all_others(floor: Floor, house: House) -> None:
    await floor.enter("first")
    urgent = await floor.enter("urgent", actor=house.rui, priority=Priority.EMERGENCY)
    assert (await floor.status()).waiting == (urgent.code, "LAB-001")


async def test_priority_is_a_head_start_that_a_long_wait_outlasts(floor: Floor, house: House) -> None:
    long_wait = await floor.enter("long")
    house.clock.offset += timedelta(minutes=31)
    short_wait = await floor.enter("short")
    preferred = await floor.enter("preferred", actor=house.rui, priority=Priority.PRIORITY)
    assert (await floor.status()).waiting == (long_wait.code, preferred.code, short_wait.code)


async def test_a_clock_set_back_keeps_the_order_of_arrival(floor: Floor, house: House) -> None:
    codes = [(await floor.enter("first")).code]
    house.clock.offset -= timedelta(hours=3)
    codes.append((await floor.enter("second")).code)
    house.clock.offset -= timedelta(hours=21)
    codes.append((await floor.enter("third")).code)
    assert list((await floor.status()).waiting) == codes


async def test_ahead_counts_those_before(floor: Floor) -> None:
    tickets = [await floor.enter(f"p{n}") for n in range(3)]
    view = await floor.view(tickets[2].id)
    assert (view.ahead, view.answer()["position"]) == (2, 3)


async def test_another_facility_counts_on_its_own(floor: Floor, house: House) -> None:

    other = Floor(await found_house(house.services))
    await floor.enter("amina")
    assert (await other.enter("amina")).number == 1
    assert replace(other.house).facility.id != house.facility.id


async def test_the_last_place_goes_to_one_of_those_who_ask_at_once(floor: Floor, house: House) -> None:
    await house.change_clinic("lab", capacity=2)
    answers = await asyncio.gather(*(floor.enter(f"person-{n}") for n in range(6)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in answers) == [*["QueueFull"] * 4, "Ticket", "Ticket"]


async def test_whoever_is_in_a_full_queue_still_finds_their_ticket(floor: Floor, house: House) -> None:
    await house.change_clinic("lab", capacity=1)
    ticket = await floor.enter("amina")
    assert await floor.enter_or_find("amina") == (ticket, True)


@pytest.mark.parametrize("who", ["stranger", "patient", "display", "doctor of another clinic"])
@pytest.mark.parametrize("priority", [Priority.PRIORITY, Priority.EMERGENCY])
async def test_nobody_gives_themselves_a_priority(floor: Floor, who: str, priority: Priority) -> None:
    actor = floor.someone(who, await floor.enter("amina"))
    with pytest.raises(PriorityNotAllowed):
        await floor.enter("second", actor=actor, priority=priority)


async def test_a_priority_asked_for_later_does_not_move_a_ticket(floor: Floor, house: House) -> None:
    await floor.enter("first")
    ticket = await floor.enter("amina")
    again = await floor.enter_or_find("amina", actor=house.rui, priority=Priority.EMERGENCY)
    assert again == (ticket, True)
    assert await floor.waiting() == ["LAB-001", "LAB-002"]


@pytest.mark.parametrize(
    "name", ["أمينة", "अमीना", "👩🏽‍⚕️ Amina", "O'Neil; DROP TABLE ticket", "x" * 5000, "\u202eanimA"]
)
async def test_names_of_every_script_come_back_as_given(floor: Floor, house: House, name: str) -> None:
    ticket = await floor.enter("amina", name=name)
    assert shown_person(house.here(), await floor.view(ticket.id))["name"] == name


async def test_one_person_in_two_facilities_is_not_the_same(floor: Floor) -> None:
    other = await floor.elsewhere()
    mine, theirs = await floor.enter("amina"), await other.enter("amina")
    async with floor.house.here().read() as here, other.house.here().read() as there:
        persons = [(await store.personal_of(here, mine.id)).person, (await store.personal_of(there, theirs.id)).person]
    assert persons[0] != persons[1]
