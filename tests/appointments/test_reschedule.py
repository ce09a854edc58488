"""Moving an appointment: the seat it leaves is free, the one it comes to is held, and nobody has two."""

import asyncio
from dataclasses import replace

import pytest

from dawr.accounts.rules import Actor
from dawr.appointments.commands import cancel
from dawr.appointments.rules import AppointmentNotFound, NotASlot, SlotTaken, WrongAppointmentState
from dawr.platform.errors import Forbidden
from tests.appointments.conftest import Practice, at, daily


async def test_an_appointment_moves(practice: Practice) -> None:
    made = await practice.book("10:00")
    moved = await practice.move(made, "11:00")
    assert (moved.appointment, moved.starts, moved.ends) == (made.appointment, at("11:00"), at("11:15"))
    assert [one.starts for one in await practice.slots() if one.seat() is None] == [at("11:00")]
    assert await practice.history(made) == ["appointment_booked", "appointment_rescheduled"]


async def test_to_a_taken_slot_or_none_it_stays(practice: Practice) -> None:
    made = await practice.book("10:00")
    await practice.book("11:00")
    for clock, refusal in (("11:00", SlotTaken), ("11:05", NotASlot)):
        with pytest.raises(refusal):
            await practice.move(made, clock)
    assert await practice.now(made) == made


async def test_to_its_own_slot_nothing_happens(practice: Practice) -> None:
    made = await practice.book("10:00")
    assert await practice.move(made, "10:00") == made


async def test_it_may_move_into_time_that_it_holds_itself(practice: Practice) -> None:
    made = await practice.book("10:00")
    await practice.hours(daily("09:05", slot=15))
    assert (await practice.move(made, "10:05")).starts == at("10:05")


async def test_to_another_doctor(practice: Practice) -> None:
    await practice.hours(doctor="omar")
    made = await practice.book("10:00")
    moved = await practice.move(made, "10:00", doctor_id="omar")
    assert (moved.doctor, moved.starts) == ("omar", made.starts)
    assert all(one.seat() == 0 for one in await practice.slots())


async def test_two_that_change_places_do_not_both_lose(practice: Practice) -> None:
    first, second = await practice.book("10:00"), await practice.book("11:00")
    tried = await asyncio.gather(practice.move(first, "11:00"), practice.move(second, "10:00"), return_exceptions=True)
    assert all(isinstance(one, SlotTaken) for one in tried)
    assert (await practice.now(first)).starts < (await practice.now(second)).starts


async def test_two_who_come_for_one_slot_are_not_both_there(practice: Practice) -> None:
    made = [await practice.book(clock) for clock in ("10:00", "10:15", "10:30")]
    tried = await asyncio.gather(*(practice.move(one, "12:00") for one in made), return_exceptions=True)
    assert len([one for one in tried if isinstance(one, SlotTaken)]) == 2


async def test_what_is_cancelled_does_not_move(practice: Practice) -> None:
    made = await practice.book("10:00")
    await practice.step(cancel, made)
    with pytest.raises(WrongAppointmentState):
        await practice.move(made, "11:00")


async def test_a_patient_moves_their_own_and_no_other(practice: Practice) -> None:
    mine, other = await practice.book("10:00"), await practice.book("10:15")
    amina = Actor(kind="patient", appointment=mine.appointment)
    assert (await practice.move(mine, "11:00", actor=amina)).starts == at("11:00")
    with pytest.raises(AppointmentNotFound):
        await practice.move(other, "11:15", actor=amina)
    with pytest.raises(AppointmentNotFound):
        await practice.move(other, "11:15", actor=replace(amina, appointment=None))


async def test_a_patient_moves_to_no_other_doctor(practice: Practice) -> None:
    await practice.hours(doctor="omar")
    mine = await practice.book("10:00")
    amina = Actor(kind="patient", appointment=mine.appointment)
    with pytest.raises(Forbidden):
        await practice.move(mine, "11:00", actor=amina, doctor_id="omar")
    assert await practice.now(mine) == mine
    assert (await practice.move(mine, "11:00", actor=amina, doctor_id="dana")).starts == at("11:00")
