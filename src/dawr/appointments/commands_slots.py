"""What the verbs of appointments share: the slots of a doctor's day, read under the schedule's lock, and who is offered those
that became free."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from dawr.accounts.rules import SYSTEM
from dawr.appointments import events, rules, store, store_schedule, store_waiting
from dawr.appointments.rules import (
    Appointment,
    NotASlot,
    PatientBusy,
    SlotOver,
    SlotTaken,
    Status,
)
from dawr.appointments.rules_schedule import FIRST_YEAR, LAST_YEAR, Schedule, Slot, at_work, slots_on
from dawr.appointments.rules_waiting import Waiting, WaitingStatus
from dawr.appointments.store_waiting import Elsewhere
from dawr.facilities import queries as facilities
from dawr.facilities.rules import ONE_DAY, Doctor, DoctorNotFound, Facility
from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.ids import new_id


async def hold_doctor(tx: WriteTx, doctor_id: str) -> tuple[Doctor, Schedule]:
    """A doctor and their schedule, locked, as it counts in the clinics they work in. ``DoctorNotFound``."""
    await facilities.doctor(tx, doctor_id)
    schedule = await store_schedule.lock(tx, doctor_id)
    # Read again: archived, or taken from a clinic, while the lock was waited for.
    doctor = await facilities.doctor(tx, doctor_id)
    return doctor, at_work(schedule, doctor.clinics)


async def still_there(tx: ReadTx, doctor_id: str) -> Doctor | None:
    """The doctor; ``None`` for one who is archived."""
    try:
        return await facilities.doctor(tx, doctor_id)
    except DoctorNotFound:
        return None


async def slot_at(tx: ReadTx, facility: Facility, schedule: Schedule, start: datetime, *, but: UUID | None) -> Slot:
    """The slot that begins at ``start``, with who holds a seat at its time ``but`` for one appointment."""
    if not FIRST_YEAR < start.year < LAST_YEAR:
        raise NotASlot
    if start <= tx.now:
        raise SlotOver
    day = start.astimezone(ZoneInfo(facility.zone)).date()
    leaves = await store_schedule.leaves(tx, schedule.doctor, since=start)
    found = next((one for one in slots_on(facility, schedule, leaves, day) if one.starts == start), None)
    if found is None:
        raise NotASlot
    held = await store.held(tx, schedule.doctor, found.starts, found.ends)
    return rules.with_seats_taken([found], [one for one in held if one.appointment != but])[0]


def clinic_of(doctor: Doctor, slot: Slot) -> str:
    """Where the doctor works in a slot. ``DoctorNotFound`` for one who works in no clinic."""
    clinic = slot.clinic or next(iter(doctor.clinics), None)
    if clinic is None:
        raise DoctorNotFound
    return clinic


# Offers


async def offer(
    tx: WriteTx, facility: Facility, doctor_id: str, *, span: tuple[datetime, datetime] | None = None
) -> list[Appointment]:
    """Offers what is free in the ``span`` (or, without one, as far ahead as is looked) to those who wait for this doctor, whose
    schedule is locked: slot by slot, each to the first who wants it. It costs what is offered, not who waits."""
    if not await store_waiting.anybody(tx, doctor_id):
        return []
    doctor = await facilities.doctor(tx, doctor_id)
    schedule = at_work(await store_schedule.schedule(tx, doctor_id), doctor.clinics)
    free = await _free(tx, facility, schedule, span or (tx.now, tx.now + rules.HORIZON))
    made: list[Appointment] = []
    elsewhere: list[Elsewhere] = []
    while free and (match := await store_waiting.first(tx, doctor_id, free, elsewhere)) is not None:
        place, entry = match
        slot = free[place]
        # What stands before this slot is wanted by nobody.
        free = free[place:]
        try:
            offered = await _offer_one(tx, entry, slot, clinic_of(doctor, slot))
        except PatientBusy:
            elsewhere.append(Elsewhere(entry.waiting, slot.starts))
        except SlotTaken:
            free = free[1:]
        else:
            made.append(offered)
            free = _offerable((_less(one, offered) for one in free), tx.now)
    return made


async def _free(tx: ReadTx, facility: Facility, schedule: Schedule, span: tuple[datetime, datetime]) -> list[Slot]:
    zone = ZoneInfo(facility.zone)
    starts, ends = max(span[0], tx.now), span[1]
    leaves = await store_schedule.leaves(tx, schedule.doctor, since=starts)
    held = await store.held(tx, schedule.doctor, starts - ONE_DAY, ends + ONE_DAY)
    first, last = starts.astimezone(zone).date(), ends.astimezone(zone).date()
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    slots = [one for day in days for one in slots_on(facility, schedule, leaves, day) if one.overlaps(starts, ends)]
    return _offerable(rules.with_seats_taken(slots, held), tx.now)


def _offerable(slots: Iterable[Slot], now: datetime) -> list[Slot]:
    return [one for one in slots if rules.may_be_offered(one, now)]


def _less(slot: Slot, offered: Appointment) -> Slot:
    if not slot.overlaps(offered.starts, offered.ends):
        return slot
    return replace(slot, taken=slot.taken | {offered.seat}, used=slot.used + 1)


async def _offer_one(tx: WriteTx, entry: Waiting, slot: Slot, clinic: str) -> Appointment:
    """The slot, held for somebody until they answer; ``PatientBusy`` where they are elsewhere at that time."""
    seat = slot.seat()
    assert seat is not None
    deadline = rules.answer_by(slot, await store_schedule.rules(tx), now=tx.now)
    made = Appointment(
        appointment=new_id(tx.now),
        patient=entry.patient,
        doctor=entry.doctor,
        clinic=clinic,
        starts=slot.starts,
        ends=slot.ends,
        capacity=slot.capacity,
        seat=seat,
        status=Status.OFFERED,
        created_at=tx.now,
        waiting=entry.waiting,
        answer_by=deadline,
    )
    async with tx.savepoint():
        made = await store.insert(tx, SYSTEM, made, events.OFFERED)
    await store_waiting.save(tx, SYSTEM, replace(entry, status=WaitingStatus.OFFERED), events.WAITING_OFFERED)
    return made
