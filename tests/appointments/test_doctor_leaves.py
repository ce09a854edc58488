"""A doctor who is archived, or leaves a clinic, leaves nobody waiting for them: what is booked is flagged, who waits is told so,
and whoever comes back finds both."""

import asyncio
from typing import Any

import pytest

from dawr.appointments.commands import cancel
from dawr.appointments.rules import Appointment, Status
from dawr.appointments.rules_schedule import read_window
from dawr.appointments.rules_waiting import WaitingStatus
from dawr.facilities import commands as facilities
from dawr.facilities import commands_people
from dawr.facilities.commands import OPEN_TICKETS
from dawr.facilities.rules import DoctorNotFound, StillInUse
from dawr.platform.errors import Forbidden
from tests.appointments.conftest import MONDAY, Practice, at, daily
from tests.conftest import Live


@pytest.fixture
async def practice(practice: Practice) -> Practice:
    """Omar works as Dana does."""
    await practice.hours(doctor="omar")
    return practice


async def leaves(practice: Practice, doctor: str = "dana") -> None:
    await _as_ada(practice, commands_people.archive_doctor, doctor=doctor, open_tickets=None)


async def returns(practice: Practice, doctor: str = "dana") -> None:
    await _as_ada(practice, commands_people.restore_doctor, doctor=doctor)


async def works_in(practice: Practice, *clinics: str) -> None:
    await _as_ada(practice, commands_people.change_doctor, doctor="dana", clinics=clinics)


async def _as_ada(practice: Practice, command: Any, **arguments: Any) -> None:
    async with practice.house.here().write() as tx:
        await command(tx, practice.house.ada, **arguments)


async def test_what_was_booked_needs_another_doctor(practice: Practice) -> None:
    made, other = await practice.book("10:00"), await practice.book("10:00", doctor="omar")
    await leaves(practice)
    flagged = await practice.now(made)
    assert (flagged.status, flagged.needs_rebooking) == (Status.BOOKED, True)
    assert await practice.history(made) == ["appointment_booked", "appointment_needs_rebooking"]
    assert not (await practice.now(other)).needs_rebooking
    assert "appointment_needs_rebooking" in [row["payload"]["type"] for row in await practice.left_behind(made)]


async def test_reception_finds_all_of_them_and_nothing_else(practice: Practice) -> None:
    await practice.book("10:00", doctor="omar")
    made = [await practice.book(clock) for clock in ("12:00", "10:00")]
    assert await practice.listed(attention=True) == []
    await leaves(practice)
    assert [one.starts for one in await practice.listed(attention=True)] == [at("10:00"), at("12:00")]
    assert await practice.listed(attention=True, doctor="omar") == []
    assert len(await practice.listed(day=MONDAY)) == 1 + len(made)


async def test_with_another_doctor_it_stands(practice: Practice) -> None:
    made = await practice.book("10:00")
    await leaves(practice)
    moved = await practice.move(made, "10:00", doctor_id="omar")
    assert (moved.doctor, moved.needs_rebooking, moved.status) == ("omar", False, Status.BOOKED)


async def test_it_can_be_cancelled(practice: Practice) -> None:
    made = await practice.book("10:00")
    await leaves(practice)
    assert (await practice.step(cancel, made)).status is Status.CANCELLED


async def test_who_is_not_given_up_for_a_doctor_who_is_not_there(practice: Practice) -> None:
    made = await practice.book("10:00")
    await leaves(practice)
    practice.set_clock("16:00")
    await practice.job()
    assert (await practice.now(made)).status is Status.BOOKED


async def test_who_waits_is_told_and_an_offer_is_taken_back(practice: Practice) -> None:
    await practice.hours(daily("10:00", "10:15"))
    offered, waits = await practice.wait(latest=at("20:00")), await practice.wait(latest=at("20:00"))
    await leaves(practice)
    assert await practice.offered(offered) is None
    assert [(await practice.place(one)).status for one in (offered, waits)] == [WaitingStatus.CLOSED] * 2
    assert (await practice.history(waits))[-1] == "waiting_closed"
    with pytest.raises(DoctorNotFound):
        await practice.wait()


async def test_who_comes_back_finds_both_as_they_were(practice: Practice) -> None:
    await practice.hours(daily("10:00", "10:30"))
    made = await practice.book("10:00")
    first, second = await practice.wait(latest=at("20:00")), await practice.wait(latest=at("20:00"))
    await leaves(practice)
    await returns(practice)
    assert not (await practice.now(made)).needs_rebooking
    assert (await practice.history(made))[-1] == "appointment_stands_again"
    offer = await practice.offered(first)
    assert (offer and offer.starts, (await practice.place(second)).status) == (at("10:15"), WaitingStatus.WAITING)
    assert (await practice.book("11:00", doctor="omar")).status is Status.BOOKED


async def test_to_come_back_twice_is_once(practice: Practice) -> None:
    made = await practice.book("10:00")
    await leaves(practice)
    for _ in range(2):
        await returns(practice)
    assert (await practice.history(made)).count("appointment_stands_again") == 1


async def test_a_clinic_that_they_leave_is_one_they_are_not_in(practice: Practice) -> None:
    made = await practice.book("10:00")
    await works_in(practice, "xray")
    assert (await practice.now(made)).needs_rebooking
    assert (await practice.book("10:15")).clinic == "xray"
    await works_in(practice, "lab")
    assert not (await practice.now(made)).needs_rebooking


async def test_a_clinic_that_is_archived_flags_what_is_booked_there(practice: Practice) -> None:
    made = await practice.book("10:00")
    await _as_ada(practice, facilities.archive_clinic, clinic="lab", open_tickets=None)
    assert (await practice.now(made)).needs_rebooking
    assert await practice.slots() == []


async def test_hours_in_a_clinic_that_they_left_make_no_slots(practice: Practice) -> None:
    await works_in(practice, "lab", "xray")
    hours = {"from": "09:00", "to": "10:00", "slot_minutes": 15}
    windows = [read_window(hours | {"weekday": "mon", "clinic": clinic}) for clinic in ("xray",)]
    await practice.hours(windows)
    made = await practice.book("09:00")
    await works_in(practice, "lab")
    assert ((await practice.now(made)).needs_rebooking, await practice.slots()) == (True, [])


async def test_while_somebody_waits_for_them_here_they_stay(practice: Practice, live: Live) -> None:
    made = await practice.book("09:00")
    practice.set_clock("08:30")
    await practice.check_in(made)
    later = await practice.book("12:00")
    ask = live.services.additions[OPEN_TICKETS]
    with pytest.raises(StillInUse):
        await _as_ada(practice, commands_people.archive_doctor, doctor="dana", open_tickets=ask)
    assert not (await practice.now(later)).needs_rebooking


async def test_nobody_is_booked_beside_an_archiving(practice: Practice) -> None:
    """Whichever is first: no appointment stands with a doctor who has gone."""
    people = [await practice.patient() for _ in range(4)]
    clocks = ("10:00", "10:15", "10:30", "10:45")
    booking = [practice.book(clock, patient=one) for clock, one in zip(clocks, people, strict=True)]
    outcomes = await asyncio.gather(*booking[:2], leaves(practice), *booking[2:], return_exceptions=True)
    made = [one for one in outcomes if isinstance(one, Appointment)]
    assert all([(await practice.now(one)).needs_rebooking for one in made])
    assert {type(one) for one in outcomes} <= {Appointment, DoctorNotFound, type(None)}


async def test_only_an_administrator_brings_a_doctor_back(practice: Practice) -> None:
    await leaves(practice)
    with pytest.raises(Forbidden):
        async with practice.house.here().write() as tx:
            await commands_people.restore_doctor(tx, practice.house.rui, doctor="dana")
    with pytest.raises(DoctorNotFound):
        await returns(await practice.elsewhere(), "nobody")
