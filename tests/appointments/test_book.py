"""Booking: one slot, one person, whoever asks at the same moment and whatever the schedule was before."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from dawr.accounts.rules import STRANGER
from dawr.appointments import store
from dawr.appointments.commands import book, cancel
from dawr.appointments.rules import NotASlot, PatientBusy, SlotOver, SlotTaken, Status
from dawr.facilities.rules import DoctorNotFound
from dawr.patients.rules import PatientNotFound
from dawr.platform.errors import Forbidden, Problem, Unauthenticated
from tests.appointments.conftest import MONDAY, Practice, at, daily


async def test_a_slot_is_booked(practice: Practice) -> None:
    made = await practice.book("10:00")
    assert (made.status, made.starts, made.ends, made.clinic) == (Status.BOOKED, at("10:00"), at("10:15"), "lab")
    assert await practice.history(made) == ["appointment_booked"]
    taken = [one.starts for one in await practice.slots() if one.seat() is None]
    assert taken == [at("10:00")]


async def test_a_taken_slot_is_refused(practice: Practice) -> None:
    await practice.book("10:00")
    with pytest.raises(SlotTaken):
        await practice.book("10:00")
    assert (await practice.book("10:15")).status is Status.BOOKED


async def test_twenty_who_want_one_slot_make_one_appointment(practice: Practice) -> None:
    patients = [await practice.patient() for _ in range(20)]
    found = await asyncio.gather(*(practice.book("11:00", patient=one) for one in patients), return_exceptions=True)
    refused = [one for one in found if isinstance(one, SlotTaken)]
    assert (len(refused), len(found) - len(refused)) == (19, 1)


async def test_a_slot_has_as_many_seats_as_its_capacity(practice: Practice) -> None:
    await practice.hours(daily(capacity=3))
    seats = [(await practice.book("10:00")).seat for _ in range(3)]
    assert seats == [0, 1, 2]
    with pytest.raises(SlotTaken):
        await practice.book("10:00")


async def test_the_database_alone_lets_nobody_have_a_taken_seat(practice: Practice) -> None:
    made = await practice.book("10:00")
    other = await practice.book("10:15")
    here = practice.house.here(practice.house.rui)
    with pytest.raises(SlotTaken):
        async with here.write() as tx:
            await store.hold(tx, replace(other, starts=made.starts, ends=made.ends))
    with pytest.raises(psycopg.errors.UniqueViolation):
        async with here.write() as tx:
            await tx.execute(
                "UPDATE appointment SET starts = %(starts)s WHERE facility_id = %(facility_id)s AND appointment = %(one)s",
                starts=made.starts,
                one=other.appointment,
            )


async def test_after_the_slots_were_cut_anew_nobody_is_booked_across_another(practice: Practice) -> None:
    await practice.book("10:00")
    await practice.hours(daily(slot=20))
    with pytest.raises(SlotTaken):
        await practice.book("10:00")
    assert (await practice.book("10:20")).ends == at("10:40")
    await practice.hours(daily(slot=15))
    for clock in ("10:15", "10:30"):
        with pytest.raises(SlotTaken):
            await practice.book(clock)


async def test_a_smaller_capacity_counts_everybody_who_is_there(practice: Practice) -> None:
    await practice.hours(daily(capacity=2))
    first = await practice.book("10:00")
    await practice.book("10:00")
    await practice.step(cancel, first)
    await practice.hours(daily(capacity=1, slot=30))
    with pytest.raises(SlotTaken):
        await practice.book("10:00")


async def test_a_patient_is_not_in_two_places_at_once(practice: Practice) -> None:
    await practice.hours(daily("08:50", slot=20), doctor="omar")
    amina = await practice.patient()
    await practice.book("10:00", patient=amina)
    with pytest.raises(PatientBusy):
        await practice.book("10:10", patient=amina, doctor="omar")
    assert (await practice.book("10:30", patient=amina, doctor="omar")).doctor == "omar"


@pytest.mark.parametrize("clock", ["10:05", "08:45", "17:00"])
async def test_what_is_no_slot_is_refused(practice: Practice, clock: str) -> None:
    with pytest.raises(NotASlot):
        await practice.book(clock)


async def test_a_slot_that_has_begun_is_over(practice: Practice) -> None:
    practice.set_clock("10:00")
    with pytest.raises(SlotOver):
        await practice.book("10:00")
    assert (await practice.book("10:15")).status is Status.BOOKED


async def test_during_leave_there_is_no_slot(practice: Practice) -> None:
    await practice.leave("09:00", "12:00")
    with pytest.raises(NotASlot):
        await practice.book("11:45")
    assert (await practice.slots())[0].starts == at("12:00")


async def test_who_books_and_who_takes_leave_at_once_never_miss_each_other(practice: Practice) -> None:
    patient = await practice.patient()
    booked, _ = await asyncio.gather(
        practice.book("10:00", patient=patient), practice.leave("09:00", "12:00"), return_exceptions=True
    )
    if isinstance(booked, BaseException):
        assert isinstance(booked, NotASlot)
    else:
        assert (await practice.now(booked)).needs_rebooking


async def test_whom_nobody_knows_is_not_booked(practice: Practice) -> None:
    with pytest.raises(PatientNotFound):
        await practice.book(patient=uuid4())
    with pytest.raises(DoctorNotFound):
        await practice.book(doctor="nobody")
    with pytest.raises(NotASlot):
        await practice.book(doctor="omar")


@pytest.mark.parametrize(("who", "refusal"), [("stranger", Unauthenticated), ("doctor", Forbidden)])
async def test_only_reception_books(practice: Practice, who: str, refusal: type[Problem]) -> None:
    actor = STRANGER if who == "stranger" else practice.house.dana
    with pytest.raises(refusal):
        await practice.book(actor=actor)


async def test_another_facilitys_patients_and_slots_are_not_there(practice: Practice) -> None:
    other = await practice.elsewhere()
    with pytest.raises(PatientNotFound):
        await other.book("10:00", patient=await practice.patient())
    await practice.book("10:00")
    assert all(one.seat() == 0 for one in await other.slots())


async def test_a_far_day_has_no_slot(practice: Practice) -> None:
    patient = await practice.patient()
    for start in (at("10:00") + timedelta(days=365 * 200), at("10:00", MONDAY + timedelta(days=365 * 80))):
        with pytest.raises(NotASlot):
            await practice.run(book, patient_id=patient, doctor_id="dana", start=start)
