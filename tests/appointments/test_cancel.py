"""Cancelling: the time is free at once."""

import pytest

from dawr.accounts.rules import STRANGER, Actor
from dawr.appointments.commands import cancel, no_show
from dawr.appointments.rules import AppointmentNotFound, Status, WrongAppointmentState
from dawr.platform.errors import Forbidden, Unauthenticated
from tests.appointments.conftest import Practice


async def test_a_cancelled_slot_can_be_booked(practice: Practice) -> None:
    made = await practice.book("10:00")
    assert (await practice.step(cancel, made)).status is Status.CANCELLED
    assert (await practice.book("10:00", patient=made.patient)).seat == made.seat
    assert await practice.history(made) == ["appointment_booked", "appointment_cancelled"]


async def test_twice_is_refused_with_the_state(practice: Practice) -> None:
    made = await practice.book("10:00")
    await practice.step(cancel, made)
    with pytest.raises(WrongAppointmentState) as refusal:
        await practice.step(cancel, made)
    assert refusal.value.extra == {"state": "cancelled"}


async def test_a_patient_cancels_their_own_but_marks_nobody_missing(practice: Practice) -> None:
    made = await practice.book("10:00")
    amina = Actor(kind="patient", appointment=made.appointment)
    with pytest.raises(Forbidden):
        await practice.step(no_show, made, amina)
    assert (await practice.step(cancel, made, amina)).status is Status.CANCELLED


async def test_a_stranger_and_another_facility_cancel_nothing(practice: Practice) -> None:
    made = await practice.book("10:00")
    with pytest.raises(Unauthenticated):
        await practice.step(cancel, made, STRANGER)
    with pytest.raises(AppointmentNotFound):
        await (await practice.elsewhere()).step(cancel, made)
